#!/bin/sh
# A small machine with the real topology: who owns what, who builds what, and a removal.
# usage: world.sh CHECKOUT NODE IMAGE_PREFIX PORT
set -eu
checkout=$1 node=$2 image=$3 port=$4
. "$(dirname "$0")/../small-machine.sh"
program app "$checkout"
image "$image"
begin_machine
builder="$world/node $world/app/dist/main.js"
snapshot >"$world/before"

as_owner $builder configure --no-root --bundle "$bundle" --door unix --port "$port" -c 1 -m 1024 -s 8 >"$world/root.sh"
# The administrator can read neither the program nor the state directory: it takes nothing but a shell.
root_part() {
    unshare -m sh -euc 'mount -t tmpfs none "$1" && mount -t tmpfs none "$2" && cd / && exec env -i /bin/sh' sh "$world/app" "$state" <"$1"
}
root_part "$world/root.sh" >/dev/null
fact "machines $(grep -c '^@/etc/nix/linuxkit-builder/machines$' /etc/nix/machines)"

finish() {
    as_owner $builder stop || true
    [ -n "$nix_daemon" ] && kill "$nix_daemon" 2>/dev/null
    return 0
}
trap finish EXIT
as_owner $builder start
fact "daemon-user $(stat -c %U "/proc/$(cat "$state/nix-state/daemon.pid")")"
start_nix_daemon
door=/etc/nix/linuxkit-builder/door
fact "door $(stat -c '%U %a' "$door") $(as_owner $builder status --json | sed 's/.*"door":{"socket":"\([^"]*\)".*/\1/')"
fact "stranger $(as_user stat "$door/socket" 2>&1 | grep -c 'Permission denied')"

# The guest may still boot: the door holds the build until it is ready.
fact "phase-at-build $(as_owner $builder status --json | sed 's/.*"phase":"\([a-z-]*\)".*/\1/')"
cp "$state/example.nix" /home/user/ && chown user /home/user/example.nix
built=$(as_user nix-build --no-out-link /home/user/example.nix) || { cat "$world/nix-daemon.log"; as_owner $builder status; exit 1; }
fact "built-by $(stat -c %U "$built")"
fact "built $(cat "$built")"
fact "phase-after $(as_owner $builder status --json | sed 's/.*"phase":"\([a-z-]*\)".*/\1/')"
fact "guest-kernel $(as_owner $builder ssh -- uname -r)"
# Root's key is another: the guest that runs learns of it by itself.
rm /etc/nix/linuxkit-builder/client_ed25519
root_part "$world/root.sh" >/dev/null
until ssh nix-linuxkit true 2>"$world/login"; do :; done
fact "root-key-taken $(ssh nix-linuxkit id -un)"
fact "owner-leaves-root-alone $(find /etc/nix /root/.ssh -path $door -prune -o -user owner -print | wc -l)"

# Who looks after it afterwards, and takes it away again.
as_owner $builder doctor --json >"$world/doctor.json" || true
fact "doctor $(tr -d '\n' <"$world/doctor.json")"
# Under names of its own: what is asked of example.nix in the same second is not there already.
fact "doctors-builds $(find /nix/store -maxdepth 1 -name '*-linuxkit-builder-doctor-*' ! -name '*.drv' | wc -l)"
as_owner $builder doctor --fix >/dev/null || true
fact "explain $(as_owner $builder explain "$state/example.nix" --json)"
as_owner sh -c 'cat >"$HOME/other.nix"' <<'NIX'
derivation { name = "other"; system = builtins.currentSystem; builder = "/bin/sh"; requiredSystemFeatures = [ "odd" ]; }
NIX
fact "explain-other $(as_owner $builder explain "$home/other.nix" --json || true)"
rm "$home/other.nix"
as_owner $builder unconfigure --no-root 2>"$world/removal" >"$world/root.sh"
root_part "$world/root.sh" >>"$world/removal"
fact "daemon-after $(as_owner $builder status --json | sed 's/.*"running":\([a-z]*\).*/\1/')"
snapshot >"$world/after"
if diff "$world/before" "$world/after"; then fact 'removal complete'; else cat "$world/removal"; fi
fact "disk-stays $(test -e "$state/nix-disk" && echo yes)"
