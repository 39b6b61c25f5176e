#!/bin/sh
# A small world with the real topology, in a mount namespace of its own (unshare -m): nothing of the machine's /etc, /nix or homes
# is touched. `owner`, an ordinary user, owns the daemon; root's nix-daemon has launchd's environment; `user`, another
# ordinary user, builds through /etc/nix/machines.
# usage: world.sh CHECKOUT NODE IMAGE_PREFIX PORT
set -eu
checkout=$1 node=$2 image=$3 port=$4

fact() { printf 'FACT %s\n' "$*"; }

world=$(mktemp -d)
mount -t tmpfs tmpfs "$world"
for path in etc root home; do
    mkdir -p "$world/$path.up" "$world/$path.work"
    mount -t overlay overlay -o "lowerdir=/$path,upperdir=$world/$path.up,workdir=$world/$path.work" "/$path"
done
mount -t tmpfs tmpfs /nix
mkdir -p /nix/store /nix/var/nix
chown root:nixbld /nix/store 2>/dev/null || true
chmod 1775 /nix/store
rm -f /etc/nix/machines
chmod 755 "$world"

# The program where every user can read it, wherever the checkout is.
mkdir -p "$world/app/node_modules" "$world/image"
cp -R "$checkout/dist" "$checkout/package.json" "$world/app/"
cp -R "$checkout/node_modules/openpgp" "$checkout/node_modules/xz-decompress" "$world/app/node_modules/"
cp "$image"-* "$world/image/"
cp "$node" "$world/node"
chmod -R a+rX "$world/app" "$world/image" "$world/node"
# People's homes have such names.
home='/home/Jörg Mac'
useradd --create-home --home-dir "$home" --shell /bin/sh owner
useradd --create-home --shell /bin/sh user

bundle=$world/image/$(basename "$image")
as_owner() { setpriv --reuid owner --regid owner --init-groups env -i HOME="$home" USER=owner PATH=/usr/bin:/bin NIX_REMOTE=daemon "$@"; }
builder="$world/node $world/app/dist/main.js"

# Everything that is not the builder's own: name, mode, owner, content.
snapshot() {
    find /etc/nix /root/.ssh "$home" -name .cache -prune -o -printf '%p %M %u %g %l\n' -type f -exec sha256sum {} + 2>&1 | sort
}
snapshot >"$world/before"

as_owner $builder configure --no-root --bundle "$bundle" --port "$port" -c 2 -m 1024 -s 8
state=$home/.cache/nix-linuxkit-builder
$builder configure --root-part <"$state/root-request.json" >/dev/null
fact "machines $(grep -c '^ssh-ng://builder@nix-linuxkit ' /etc/nix/machines)"

nix_daemon=
finish() {
    as_owner $builder stop || true
    [ -n "$nix_daemon" ] && kill "$nix_daemon" 2>/dev/null
    return 0
}
trap finish EXIT
as_owner $builder start
fact "daemon-user $(stat -c %U "/proc/$(cat "$state/nix-state/daemon.pid")")"
env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin "$(command -v nix-daemon)" --daemon </dev/null >"$world/nix-daemon.log" 2>&1 &
nix_daemon=$!
until [ -S /nix/var/nix/daemon-socket/socket ]; do kill -0 "$nix_daemon"; done

# The guest may still boot: the door holds the build until it is ready.
fact "phase-at-build $(as_owner $builder status --json | sed 's/.*"phase":"\([a-z-]*\)".*/\1/')"
cp "$state/example.nix" /home/user/ && chown user /home/user/example.nix
built=$(setpriv --reuid user --regid user --init-groups env -i HOME=/home/user USER=user PATH=/usr/bin:/bin NIX_REMOTE=daemon \
    nix-build --no-out-link /home/user/example.nix) || { cat "$world/nix-daemon.log"; as_owner $builder status; exit 1; }
fact "built-by $(stat -c %U "$built")"
fact "built $(cat "$built")"
fact "phase-after $(as_owner $builder status --json | sed 's/.*"phase":"\([a-z-]*\)".*/\1/')"
fact "guest-kernel $(as_owner $builder ssh -- uname -r)"
fact "owner-leaves-root-alone $(find /etc/nix /root/.ssh -user owner | wc -l)"

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
as_owner $builder unconfigure --no-root >"$world/removal" 2>&1
# The administrator runs what was told, as root.
eval "$(sed -n 's/^ *sudo //p' "$world/removal")" >>"$world/removal"
fact "daemon-after $(as_owner $builder status --json | sed 's/.*"running":\([a-z]*\).*/\1/')"
snapshot >"$world/after"
if diff "$world/before" "$world/after"; then fact 'removal complete'; else cat "$world/removal"; fi
fact "disk-stays $(test -e "$state/nix-disk" && echo yes)"
