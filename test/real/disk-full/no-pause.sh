#!/bin/sh
# A host whose disk becomes full under a VM program that cannot pause its guest, in a mount namespace of its own (unshare -m).
# usage: no-pause.sh CHECKOUT NODE IMAGE_PREFIX PORT VM NETWORK
set -eu
checkout=$1 node=$2 image=$3 port=$4 vm=$5 network=$6
fact() { printf 'FACT %s\n' "$*"; }

world=$(mktemp -d)
mount -t tmpfs -o size=2100m tmpfs "$world"
state=$world/s
export HOME="$world/home" LINUXKIT_BUILDER_TREE="$world/tree"
mkdir -p "$HOME" "$LINUXKIT_BUILDER_TREE/etc/nix" "$LINUXKIT_BUILDER_TREE/root"
builder() { command=$1; shift; "$node" "$checkout/dist/main.js" "$command" -d "$state" "$@"; }
phase() { builder status --json | sed 's/.*"phase":"\([a-z-]*\)".*/\1/'; }
reaches() { until [ "$(phase)" = "$1" ]; do :; done; }
events() { sed -n 's/.*"event":"phase","phase":"\([a-z-]*\)".*/\1/p' "$state/nix-state/daemon.log" | tr '\n' ' '; }

builder configure -q --no-root --bundle "$image" --port "$port" -c 1 -m 1024 -s 2
sed -i "s/^{/{\"vm\": \"$vm\", \"network\": \"$network\",/" "$state/config.json"
trap 'builder stop --now >/dev/null || true' EXIT
builder start >/dev/null
builder wait >/dev/null 2>&1
# Not flushed: it is on the disk only if the guest is shut down in order.
builder ssh --root -- 'echo kept >/nix/kept'
fallocate -l 1600m "$world/filler"
reaches paused
fact "sentence $(builder status | head -1)"
fact "stopped $(grep -c 'stage=stopped' "$state/nix-state/console.log")"
fact "left $(ls "$state/nix-state" | grep -c "$vm.pid\|$network.pid\|initrd" || true)"
# It stays so, however long it lasts, and is still there to be asked.
sleep 10
fact "phase-later $(phase)"
rm "$world/filler"
reaches ready
fact "kept $(builder ssh -- cat /nix/kept)"
fact "errors $(grep -ci 'i/o error' "$state/nix-state/console.log" || true)"
fact "phases $(events)"

# A stop that comes while it waits for room is a stop.
fallocate -l 1600m "$world/filler"
reaches paused
builder stop >/dev/null
fact "last $(phase)"
