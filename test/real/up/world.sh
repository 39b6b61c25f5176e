#!/bin/sh
# scripts/up, killed in the midst of one part after the other and run again, in a mount namespace of its own (unshare -m): nothing
# of the machine's /etc, /nix or homes is touched, nor of the checkout. Root owns the daemon and builds.
# usage: world.sh CHECKOUT DIRECTORY PORT      the directory: an empty one
set -eu
checkout=$1 world=$2 port=$3
fact() { printf 'FACT %s\n' "$*"; }

mount -t tmpfs tmpfs "$world"
# over LOWER AT: a copy of a directory that costs nothing.
layers=0
over() {
    layers=$((layers + 1))
    mkdir -p "$world/layers/$layers/up" "$world/layers/$layers/work" "$2"
    mount -t overlay overlay -o "lowerdir=$1,upperdir=$world/layers/$layers/up,workdir=$world/layers/$layers/work" "$2"
}
over /etc /etc
over /root /root
mount -t tmpfs tmpfs /nix
rm -rf /etc/nix/machines /root/.cache

# A checkout whose packages are installed and whose program was never built.
over "$checkout" "$world/app"
rm -rf "$world/app/dist"
touch "$world/app/node_modules/.package-lock.json"

# Its packages of Debian are there, so that nothing is downloaded; the settings are small, and the port nobody else's.
state="$world/a state"
mkdir -m 700 "$state"
cp -R "$checkout/.cache/image-state/downloads" "$state/"
echo "{ \"port\": $port, \"cpus\": 1, \"memoryMiB\": 1024, \"diskGiB\": 4 }" >"$state/config.json"
export HOME=/root LINUXKIT_BUILDER_DIR="$state"

part=
finish() {
    [ -z "$part" ] || kill -s KILL -- "-$part" 2>/dev/null || true
    node "$world/app/dist/main.js" stop --now >/dev/null 2>&1 || true
}
trap finish EXIT

# killed_when NAME COMMAND...: scripts/up, all of it killed as soon as the command says yes.
killed_when() {
    name=$1
    shift
    setsid "$world/app/scripts/up" >"$world/said" 2>&1 &
    part=$!
    until "$@"; do kill -0 "$part" || { cat "$world/said"; exit 1; }; done
    kill -s KILL -- "-$part"
    wait "$part" || true
    part=
    fact "$name $(tail -n 1 "$world/said")"
}
exists() { [ -e "$1" ]; }
# Its first files are there, and its entries may be.
killed_when killed-building exists "$world/app/dist"
killed_when killed-packing exists "$state/image"
killed_when killed-starting exists "$state/nix-state/qemu.pid"
vm=$(cat "$state/nix-state/qemu.pid")

"$world/app/scripts/up" >"$world/said" 2>&1 || { cat "$world/said"; exit 1; }
fact "builds-program $(grep -c 'building the program' "$world/said")"
fact "image $(grep 'image/builder is' "$world/said")"
fact "configure $(sed -n '/^==> configuring/{n;p;}' "$world/said")"
fact "start $(sed -n '/^==> starting/{n;p;}' "$world/said")"
fact "same-vm $([ "$(cat "$state/nix-state/qemu.pid")" = "$vm" ] && echo yes)"
fact "built $(tail -n 1 "$world/said")"
