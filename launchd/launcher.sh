#!/bin/sh
# linuxkit-builder: what launchd runs at login, or at boot. Written by `linuxkit-builder configure`.
# launchd tells this process alone to end, by SIGTERM. The daemon is told, and when it is gone we leave with 0: launchd
# starts again what ended otherwise. Between the daemon's first moment and its first handler a signal would kill it, and a
# stopped builder would come back; that is why this stays instead of becoming the daemon.
stopping=
child=
# A shell that was just forked has our traps until it has cleared them, and loses a signal that comes before. So a file says
# it first, where there is a place for one: that shell looks for it before it becomes the daemon.
word=
trap 'stopping=1; { true >"$word"; } 2>/dev/null; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM INT HUP

# Names that lead to the next version after an upgrade; the paths behind them are gone then.
named=@NAMED@
node=@NODE@
named_main=@PROGRAM@
main=@MAIN@
state=@STATE@
log=@LOG@
# `system` where it is the system's own job; empty where it is of a user's session.
domain=@DOMAIN@
output=$state/nix-state/daemon.out
wait4path=${LINUXKIT_BUILDER_WAIT4PATH:-/bin/wait4path}
patience=${LINUXKIT_BUILDER_PATIENCE:-60}

# By us and not by launchd, which would run nothing where it cannot open a file. Begun anew when it has grown.
if [ -d "${log%/*}" ]; then
    [ ! -e "$log" ] || [ "$(wc -c <"$log")" -lt 1048576 ] || (: >"$log") 2>/dev/null
    (: >>"$log") 2>/dev/null && exec >>"$log" 2>&1
fi

say() { echo "$(date '+%Y-%m-%d %H:%M:%S') $*"; }

# leave CODE
leave() {
    rm -f "$word" 2>/dev/null
    exit "$1"
}

# follow COMMAND...: runs it to its end, telling it when we are told to end; its exit code is in $code.
follow() {
    code=0
    [ -z "$stopping" ] || return 0
    "$@" &
    child=$!
    [ -z "$stopping" ] || kill -TERM "$child" 2>/dev/null
    while :; do
        wait "$child"
        code=$?
        kill -0 "$child" 2>/dev/null || break
        # A daemon takes a second signal for haste. Others may have lost the first one, and there may be no place for a file.
        while [ "$1" != daemon ] && [ -n "$stopping" ] && kill -TERM "$child" 2>/dev/null; do sleep 1; done
    done
    child=
}

# find_node: which one to run is in $found.
find_node() {
    for found in "$named" "$node"; do
        [ -f "$found" ] && [ -x "$found" ] && return
    done
    return 1
}

# find_main: which program to run is in $program.
find_main() {
    for program in "$named_main" "$main"; do
        [ -e "$program" ] && return
    done
    return 1
}

# missing: what we cannot do without and is not there.
missing() {
    if [ ! -d "$state" ]; then
        echo "the state directory $state"
    elif ! find_node; then
        [ "$named" = "$node" ] || echo "Node.js, $named or $node"
        [ "$named" != "$node" ] || echo "Node.js, $node"
    elif ! find_main; then
        [ "$named_main" = "$main" ] || echo "the program, $named_main or $main"
        [ "$named_main" != "$main" ] || echo "the program, $main"
    fi
}

# await_volume PATH: a volume may be mounted long after login, or unlocked by hand: there is no end to that wait but ours.
await_volume() {
    case $1 in
    /nix/store/*) volume=/nix/store ;;
    /Volumes/*/*)
        volume=${1#/Volumes/}
        volume=/Volumes/${volume%%/*}
        ;;
    *) return 0 ;;
    esac
    [ ! -e "$volume" ] && [ -x "$wait4path" ] || return 0
    say "Waiting for $volume to be mounted: $1 is on it."
    follow "$wait4path" "$volume"
}

find_node || await_volume "$node"
find_main || await_volume "$main"
await_volume "$state"

# An upgrade may be under way; what is not back after that has gone for good.
lack=$(missing)
[ -z "$lack" ] || [ -n "$stopping" ] || say "Waiting at most $patience s for $lack."
waited=0
while [ -n "$lack" ] && [ -z "$stopping" ] && [ "$waited" -lt "$patience" ]; do
    follow sleep 1
    waited=$((waited + 1))
    lack=$(missing)
done
[ -z "$stopping" ] || exit 0
if [ -n "$lack" ]; then
    # As it stands there, launchd would load it again at each login, or boot.
    folder=${domain:+/Library/LaunchDaemons}
    why="The daemon was not started: $lack does not exist. It was moved, upgraded or removed since configure last ran. \
Run linuxkit-builder configure, then linuxkit-builder start. To remove this job, run: ${domain:+sudo }launchctl bootout \
${domain:-gui/$(id -u)}/@LABEL@, then delete ${folder:-~/Library/LaunchAgents}/@LABEL@.plist"
    say "$why"
    [ ! -d "$state/nix-state" ] || say "$why" >>"$output"
    # Anything but 0 would have launchd run this again every 10 s, for nothing.
    exit 0
fi
find_node
find_main

# launchd would hold the file open for ever: it is ours, and begins anew when it has grown.
mkdir -p "$state/nix-state"
[ ! -e "$output" ] || [ "$(wc -c <"$output")" -lt 1048576 ] || mv -f "$output" "$output.1"

# What an earlier run has left there is not for this one, and would keep every daemon from starting.
word=$state/nix-state/launcher.stopping
rm -f "$word" 2>/dev/null || word=

daemon() {
    [ ! -e "$word" ] || exit 0
    exec "$found" "$program" daemon --managed --directory "$state" >>"$output" 2>&1
}
follow daemon
# 69: that Node is too old for the program, which has said so. The name may lead to another one now.
if [ "$code" = 69 ] && [ "$found" != "$node" ] && [ -f "$node" ] && [ -x "$node" ]; then
    say "$found is too old; trying $node."
    found=$node
    follow daemon
fi
[ -z "$stopping" ] || leave 0
# SIGABRT is how Node ends where its heap may not grow, SIGTRAP where a limit leaves it no addresses, SIGKILL how the system ends a
# program for want of memory.
case $code in
133 | 134 | 137)
    why="The daemon was killed by signal $((code - 128)). If nobody did that, memory has probably run out: this machine's, or as much \
as a limit allows. If it happens again, give the guest less memory: linuxkit-builder configure -m MIB."
    say "$why"
    say "$why" >>"$output"
    ;;
esac
if [ "$code" = 69 ]; then
    say "The daemon was not started: $found is too old. Put a newer Node on the PATH, run linuxkit-builder configure, then \
linuxkit-builder start."
    # As above: launchd would run this again every 10 s, for nothing.
    leave 0
fi
leave "$code"
