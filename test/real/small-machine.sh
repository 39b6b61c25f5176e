# A small machine in a mount namespace of its own (unshare -m), sourced by sh: nothing of the machine's /etc, /nix or homes is touched, and
# nothing that is installed there counts, a builder of ours least of all. `owner`, an ordinary user, owns the daemon; root's nix-daemon has
# launchd's environment; `user`, another ordinary user, builds through /etc/nix/machines.
# It needs $node, and takes $WORLD, an empty directory; it sets $world, one that every user may read, $home, that of `owner`, and $state.

fact() { printf 'FACT %s\n' "$*"; }

world=${WORLD:-$(mktemp -d)}
mount -t tmpfs tmpfs "$world"
chmod 755 "$world"
cp "$node" "$world/node"

# program NAME CHECKOUT: a program where every user can read it, wherever the checkout is.
program() {
    mkdir -p "$world/$1/node_modules" "$world/$1/src"
    cp -R "$2/dist" "$2/package.json" "$2/launchd" "$world/$1/"
    cp -R "$2/src/image" "$world/$1/src/"
    cp -R "$2/node_modules/openpgp" "$2/node_modules/xz-decompress" "$world/$1/node_modules/"
    chmod -R a+rX "$world/$1"
}

# image PREFIX: its files; $bundle is their prefix.
image() {
    mkdir "$world/image"
    cp "$1"-* "$world/image/"
    chmod -R a+rX "$world/image"
    bundle=$world/image/$(basename "$1")
}

# begin_machine: from here on /etc, /nix and the homes are the world's own.
begin_machine() {
    mkdir -p "$world/etc.up" "$world/etc.work"
    mount -t overlay overlay -o "lowerdir=/etc,upperdir=$world/etc.up,workdir=$world/etc.work" /etc
    for path in /nix /root /home; do mount -t tmpfs -o mode=755 tmpfs "$path"; done
    rm -rf /etc/nix
    mkdir -p /etc/nix /nix/store /nix/var/nix
    chmod 700 /root
    # As people write it, without an end of line.
    printf 'sandbox = false' >/etc/nix/nix.conf
    chown root:nixbld /nix/store 2>/dev/null || true
    chmod 1775 /nix/store
    # People's homes have such names.
    home='/home/Jörg Mac'
    state=$home/.cache/nix-linuxkit-builder
    useradd --create-home --home-dir "$home" --shell /bin/sh owner
    useradd --create-home --shell /bin/sh user
}

as_owner() { setpriv --reuid owner --regid owner --init-groups env -i HOME="$home" USER=owner PATH=/usr/bin:/bin NIX_REMOTE=daemon "$@"; }
as_user() { setpriv --reuid user --regid user --init-groups env -i HOME=/home/user USER=user PATH=/usr/bin:/bin NIX_REMOTE=daemon "$@"; }

nix_daemon=
start_nix_daemon() {
    env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin "$(command -v nix-daemon)" --daemon </dev/null >"$world/nix-daemon.log" 2>&1 &
    nix_daemon=$!
    until [ -S /nix/var/nix/daemon-socket/socket ]; do kill -0 "$nix_daemon"; done
}

# as_told OUTPUT ERRORS: what a command of the owner's printed that root runs, as root. The release before told a command.
as_told() {
    if grep -q "^# Root's part of linuxkit-builder" "$1"; then /bin/sh <"$1"; else eval "$(sed -n 's/^ *sudo //p' "$2")"; fi
}

# Everything that is not the builder's own: name, mode, owner, content.
snapshot() {
    find /etc/nix /root "$home" -name .cache -prune -o -printf '%p %M %u %g %l\n' -type f -exec sha256sum {} + 2>&1 | sort
}
