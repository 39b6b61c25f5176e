#!/bin/sh
# A state directory that becomes read-only under its daemon, in a mount namespace of its own (unshare -m): root ignores modes.
# usage: world.sh CHECKOUT NODE IMAGE_PREFIX PORT
set -eu
checkout=$1 node=$2 image=$3 port=$4
fact() { printf 'FACT %s\n' "$*"; }

world=$(mktemp -d)
state=$world/s
export HOME="$world/home" LINUXKIT_BUILDER_TREE="$world/tree"
mkdir -p "$HOME" "$LINUXKIT_BUILDER_TREE/etc/nix" "$LINUXKIT_BUILDER_TREE/root"
builder() { command=$1; shift; "$node" "$checkout/dist/main.js" "$command" -d "$state" "$@"; }
phase() { builder status --json | sed 's/.*"phase":"\([a-z-]*\)".*/\1/'; }
reaches() { until [ "$(phase)" = "$1" ]; do :; done; }
vms() { pgrep -c -f "qemu-system-[^ ]* .*$state/nix-disk" || true; }

builder configure -q --no-root --bundle "$image" --port "$port" -c 1 -m 1024 -s 2
"$node" "$checkout/dist/main.js" daemon -d "$state" 2>"$world/said" &
daemon=$!
trap 'umount "$state" 2>/dev/null || true; builder stop --now >/dev/null || true; wait; rm -rf "$world"' EXIT
reaches ready

mount --bind "$state" "$state"
mount -o remount,bind,ro "$state"
# Longer than two looks of the daemon: it stays, and so does its guest.
sleep 11
fact "guest $(builder ssh -- echo works)"
fact "vms-kept $(vms)"
builder restart --now >/dev/null
reaches failed
fact "told $(grep -c 'The status file is out of date.*the file system is read-only' "$world/said")"
fact "why $(grep '^Failed' "$world/said" | head -1)"
fact "vms-ended $(vms)"

umount "$state"
reaches failed
fact "then $(builder status | head -1)"
builder restart >/dev/null
reaches ready
builder stop >/dev/null
wait "$daemon" && fact "end 0"
fact "vms-last $(vms)"
