#!/bin/sh
# Makes the root directory of another release of Debian, with what `scripts/up` would have installed there, and an npm. It is
# made once and then only read. For private mount and pid namespaces (unshare -m -p -f).
# usage: make-root.sh SUITE AT MIRROR NODE NPM      NODE: a node binary, or `own` for the release's own package; NPM: npm's folder
set -eu
suite=$1 at=$2 mirror=$3 node=$4 npm=$5

making=$at.making
rm -rf "$making"
mkdir -p "$making"

# A release without a script of its own is made as sid is: they differ in nothing here.
script=/usr/share/debootstrap/scripts/$suite
[ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
debootstrap --variant=minbase "$suite" "$making" "$mirror" "$script" >"$at.log" 2>&1

mount -t proc proc "$making/proc"
inside() { chroot "$making" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@" >>"$at.log" 2>&1; }
# A mirror's copy of testing may be older than its index allows.
inside apt-get -o Acquire::Check-Valid-Until=false update -q
packages='ca-certificates sudo procps openssh-client passwd'
case $suite in
bullseye) packages="$packages nix-bin" ;;
*) packages="$packages nix-bin nix-setup-systemd qemu-system-x86 squashfs-tools xz-utils iproute2" ;;
esac
[ "$node" != own ] || packages="$packages nodejs"
# shellcheck disable=SC2086
inside apt-get install -y -q --no-install-recommends $packages
inside apt-get clean
rm -rf "$making"/var/lib/apt/lists/*
[ "$node" = own ] || install -m 755 "$node" "$making/usr/local/bin/node"
mkdir -p "$making/usr/local/lib/node_modules"
cp -R "$npm" "$making/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$making/usr/local/bin/npm"
ln -s ../lib/node_modules/npm/bin/npx-cli.js "$making/usr/local/bin/npx"

# One who may become root, as on most desks, and one who may not.
inside useradd --create-home --shell /bin/bash owner
inside useradd --create-home --shell /bin/sh user
# Where Nix's daemon is for a group alone, both are in it.
for name in owner user; do
    ! grep -q '^nix-users:' "$making/etc/group" || inside usermod --append --groups nix-users "$name"
done
echo 'owner ALL=(ALL) NOPASSWD: ALL' >"$making/etc/sudoers.d/owner"
umount "$making/proc"
mv "$making" "$at"
