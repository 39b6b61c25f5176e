#!/bin/sh
# A host whose disk becomes full while the guest writes, in a mount namespace of its own (unshare -m).
# usage: world.sh CHECKOUT NODE IMAGE_PREFIX PORT
set -eu
checkout=$1 node=$2 image=$3 port=$4
fact() { printf 'FACT %s\n' "$*"; }

world=$(mktemp -d)
mount -t tmpfs -o size=2100m tmpfs "$world"
state=$world/s
export HOME="$world/home" LINUXKIT_BUILDER_TREE="$world/tree"
mkdir -p "$HOME" "$LINUXKIT_BUILDER_TREE/etc/nix" "$LINUXKIT_BUILDER_TREE/root"
builder() { command=$1; shift; "$node" "$checkout/dist/main.js" "$command" -d "$state" "$@"; }
phase() { builder status --json | sed 's/.*"phase":"\([a-z-]*\)".*/\1/'; }
vm() { builder status --json | sed 's/.*"vmPid":\([0-9]*\).*/\1/'; }
reaches() { until [ "$(phase)" = "$1" ]; do :; done; }
phases() { sed -n 's/.*"event":"phase","phase":"\([a-z-]*\)".*/\1/p' "$state/nix-state/daemon.log"; }

builder configure -q --no-root --bundle "$image" --port "$port" -c 1 -m 1024 -s 2
trap 'builder stop --now >/dev/null || true' EXIT
builder start >/dev/null
builder wait >/dev/null 2>&1
fact "vm-before $(vm)"
# What became of starts before this one is not its matter.
phases_before=$(phases | wc -l)
fallocate -l 1750m "$world/filler"
builder ssh --root -- 'dd if=/dev/zero of=/nix/big bs=1M count=400 conv=fsync 2>/dev/null && ls -l /nix/big' >"$world/written" 2>&1 &
writer=$!
reaches paused
fact "sentence $(builder status | head -1)"
# Doctor while it is so: what it calls bad, in its order.
fact "doctor $(builder doctor --json | sed 's/},{/\n/g' | sed -n 's/.*"name":"\([^"]*\)","kind":"bad".*/\1/p' | paste -sd,)"
# It stays so, however long it lasts: nothing is restarted.
sleep 25
fact "phase-later $(phase)"
rm "$world/filler"
reaches ready
wait "$writer" && fact "written $(awk '{print $5}' "$world/written")"
fact "vm-after $(vm)"
fact "phases-since $(phases | tail -n "+$((phases_before + 1))" | paste -sd ' ')"
