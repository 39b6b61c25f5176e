#!/bin/sh
# linuxkit-builder: what launchd runs at login. Written by `linuxkit-builder configure`.
# launchd tells this process alone to end, by SIGTERM. The daemon is told, and when it is gone we leave with 0: launchd
# starts again what ended otherwise. Between the daemon's first moment and its first handler a signal would kill it, and a
# stopped builder would come back; that is why this stays instead of becoming the daemon.
node=@NODE@
main=@MAIN@
state=@STATE@
output=$state/nix-state/daemon.out

stopping=
child=
trap 'stopping=1; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM INT HUP

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
    done
    child=
}

# The store may be a volume of its own that is not mounted yet at login.
for path in "$node" "$main" "$state"; do
    [ -x /bin/wait4path ] && [ ! -e "$path" ] && follow /bin/wait4path "$path"
done

# launchd would hold the file open for ever: it is ours, and begins anew when it has grown.
mkdir -p "$state/nix-state"
[ ! -e "$output" ] || [ "$(wc -c <"$output")" -lt 1048576 ] || mv -f "$output" "$output.1"

daemon() { exec "$node" "$main" daemon --directory "$state" >>"$output" 2>&1; }
follow daemon
[ -z "$stopping" ] || exit 0
exit "$code"
