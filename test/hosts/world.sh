#!/bin/sh
# The main job on another release of Debian: `owner`, an ordinary user who may use sudo, runs the README's first command in a
# checkout of his own; `user`, another ordinary user, builds through root's nix-daemon; then everything is taken away again.
# For namespaces of its own (mount, pid, net): nothing of the machine is touched, and the port is the default one.
# usage: world.sh CHECKOUT ROOT NPM_CACHE REGISTRY [CLIENT]     CLIENT: root directory of a release whose Nix is an old client
set -eu
checkout=$1 root=$2 npm_cache=$3 registry=$4 client=${5-}
fact() { printf 'FACT %s\n' "$*"; }

ip link set lo up
world=$(mktemp -d)
trap 'rmdir "$world" 2>/dev/null || true' EXIT
mount -t tmpfs -o mode=755 tmpfs "$world"
# writable LOWER NAME: a root directory that can be written without changing the one below.
writable() {
    mkdir -p "$world/$2.up" "$world/$2.work" "$world/$2"
    mount -t overlay overlay -o "lowerdir=$1,upperdir=$world/$2.up,workdir=$world/$2.work" "$world/$2"
    mount -t proc proc "$world/$2/proc"
    mount --rbind /sys "$world/$2/sys"
    mount --rbind /dev "$world/$2/dev"
}
writable "$root" host
host=$world/host
# What is in the repository, and nothing that was made of it here.
app=/home/owner/linuxkit-builder
state=/home/owner/.cache/nix-linuxkit-builder
mkdir -p "$host$app" "$host$state"
git -c safe.directory='*' -C "$checkout" ls-files -z | tar -C "$checkout" --null -T - -c | tar -C "$host$app" -x
# Packages of npm and of Debian are there, so that nothing is downloaded.
cp -R "$npm_cache" "$host/npm"
cp -R "$checkout/.cache/image-state/downloads" "$host$state/"
if [ -n "$client" ]; then
    writable "$client" client
    mkdir "$host/client"
    mount --rbind "$world/client" "$host/client"
fi
# Not chroot: Nix's children go back to the root of their mount namespace, which has to be this one.
mkdir "$host/old"
cd "$host"
pivot_root . old
trap - EXIT
exec </dev/null
PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
rmdir "/old$world" 2>/dev/null || true
umount -l /old
rmdir /old

chmod 700 "$state"
chown -R owner: "$app" /home/owner/.cache /npm
mkdir -p /nix/store /nix/var/nix
chown root:nixbld /nix/store
chmod 1775 /nix/store

# as USER COMMAND...: with the environment of a login.
as() {
    who=$1
    shift
    setpriv --reuid "$who" --regid "$who" --init-groups env -i HOME="/home/$who" USER="$who" PATH=/usr/local/bin:/usr/bin:/bin \
        NIX_REMOTE=daemon npm_config_cache=/npm npm_config_registry="$registry" npm_config_offline=true "$@"
}
builder() { as owner node "$app/dist/main.js" "$@"; }

fact "node $(as owner node --version)"
fact "qemu $(as owner qemu-system-x86_64 --version | head -n 1)"
fact "nix $(as owner nix --version)"
fact "ssh $(as owner ssh -V 2>&1)"

# Everything that is not the builder's own: name, mode, owner, content.
snapshot() {
    find /etc/nix /root /home/owner \( -path "$app" -o -path "$state" -o -name .npm \) -prune -o -printf '%p %M %u %g %l\n' -type f -exec sha256sum {} + | sort
}
snapshot >/tmp/before

env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin nix-daemon --daemon >/tmp/nix-daemon.log 2>&1 &
nix_daemon=$!
until [ -S /nix/var/nix/daemon-socket/socket ]; do kill -0 "$nix_daemon"; done

failed() {
    echo "$1 failed:"
    cat /tmp/said /tmp/nix-daemon.log
    builder status
    exit 1
}
as owner "$app/scripts/up" >/tmp/said 2>&1 || failed scripts/up
fact "built $(tail -n 1 /tmp/said)"
fact "daemon-user $(stat -c %U "/proc/$(cat "$state/nix-state/daemon.pid")")"

# Another derivation than the one of the first command, which was made in another second.
cp "$state/example.nix" /home/user/
chown user /home/user/example.nix
as user nix-build --no-out-link /home/user/example.nix >/tmp/out 2>/tmp/said || failed 'the build of another user'
fact "another-built $(cat "$(tail -n 1 /tmp/out)")"

builder doctor --json >/tmp/doctor.json || true
fact "doctor $(tr -d '\n' </tmp/doctor.json)"

[ -z "$client" ] || . "$app/test/hosts/client.sh"

builder stop >/tmp/said 2>&1 || failed stop
fact "running-after-stop $(builder status --json | sed 's/.*"running":\([a-z]*\).*/\1/')"
builder unconfigure --purge --yes >/tmp/said 2>&1 || failed unconfigure
kill "$nix_daemon"
snapshot >/tmp/after
if diff /tmp/before /tmp/after >/tmp/difference; then fact 'left nothing'; else
    fact "left $(tr '\n' ' ' </tmp/difference)"
fi
if [ -e "$state" ]; then fact "state-directory $(find "$state" | tr '\n' ' ')"; else fact 'state-directory gone'; fi
fact "processes-left $(ps -o pid=,args= -u owner | tr '\n' ' ')"
