#!/bin/sh
# A builder that the release before has configured, started and built on, on a small machine; then this program, in the place of that one.
# Beside it, without a guest: what that release has changed is given back by this program.
# usage: world.sh CHECKOUT NODE OLD_CHECKOUT OLD_IMAGE_PREFIX PORT
set -eu
checkout=$1 node=$2 old=$3 image=$4 port=$5
. "$(dirname "$0")/../small-machine.sh"
program old "$old"
program new "$checkout"
image "$image"
downloads=$checkout/.cache/image-state/downloads
begin_machine
mount --bind "$world/old" "$(mkdir "$world/app" && echo "$world/app")"
builder="$world/node $world/app/dist/main.js"
upgrade() { umount -l "$world/app" && mount --bind "$world/new" "$world/app"; }
downgrade() { umount -l "$world/app" && mount --bind "$world/old" "$world/app"; }

# What people have in these files already.
mkdir -m 700 /root/.ssh "$home/.ssh"
printf 'ssh://nobody@127.0.0.1 riscv64-linux /nowhere' >/etc/nix/machines
printf 'Host *\n  ServerAliveInterval 7\n' >/root/.ssh/config
printf 'Host other\n  Port 2222' >"$home/.ssh/config"
chmod 600 /root/.ssh/config "$home/.ssh/config"
chown -R owner: "$home/.ssh"
snapshot >"$world/before"
# given_back NAME: whether everything is as it was.
given_back() {
    snapshot >"$world/after"
    if diff "$world/before" "$world/after" >&2; then fact "$1 yes"; else fact "$1 no"; fi
}

configure() {
    as_owner $builder configure --no-root "$@" >"$world/told" 2>"$world/said" || { cat "$world/said"; exit 1; }
    as_told "$world/told" "$world/said" >/dev/null
}
unconfigure() {
    as_owner $builder unconfigure --no-root "$@" >"$world/told" 2>"$world/said" || { cat "$world/said"; exit 1; }
    as_told "$world/told" "$world/said"
}
first="--bundle $bundle --port $port -c 1 -m 1024 -s 8"

# Without a guest: configured by the old, and undone by the new; also where the new has configured in between.
configure $first
upgrade
unconfigure
given_back undone
downgrade
configure $first
upgrade
configure
unconfigure
given_back undone-after-configure
unconfigure --purge --yes
fact "purged $([ -e "$state" ] && ls -A "$state" || echo yes)"
downgrade

finish() {
    as_owner $builder stop --now >/dev/null 2>&1 || true
    [ -z "$nix_daemon" ] || kill "$nix_daemon" 2>/dev/null
    return 0
}
trap finish EXIT
start_nix_daemon
# build NAME: a derivation that nobody has built, by an ordinary user; its path is in $built, nothing where it fails.
build() {
    cat >/home/user/build.nix <<NIX
derivation { name = "$1"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "read v < /proc/version; echo \$v > \$out" ]; }
NIX
    built=$(as_user timeout 100 nix-build --max-jobs 0 --no-out-link /home/user/build.nix 2>"$world/build.log") || { built=; tail -n 5 "$world/build.log"; }
}
version() { [ -z "$built" ] || cat "$built"; }

# The image where that release's `image build` puts it.
as_owner mkdir -p -m 700 "$home/.cache" "$state" "$state/image"
cp "$bundle"-* "$state/image/" && chown owner: "$state/image"/*
configure --port "$port" -c 1 -m 1024 -s 8
as_owner $builder start
build by-the-old
fact "by-the-old $(version)"
first_built=$built

# Under the feet of the old daemon.
upgrade
fact "status-of-the-old $(as_owner $builder status --json)"
build under-the-old
fact "under-the-old $(version)"

as_owner $builder stop || true
as_owner $builder start
as_owner $builder wait -t 60 || true
build by-the-new
# Or `status` says the one command.
if [ -z "$built" ]; then
    as_owner $builder status >"$world/status" 2>&1 || true
    cat "$world/status"
    command=$(sed -n 's/.*linuxkit-builder \([a-z][a-z ]*\).*/\1/p' "$world/status" | head -n 1)
    fact "command $command"
    if [ "$command" = 'image build' ]; then cp -R "$downloads" "$state/" && chown -R owner: "$state/downloads"; fi
    [ "$command" != configure ] || command='configure --no-root'
    as_owner $builder $command >"$world/told" 2>"$world/said" || cat "$world/said"
    as_told "$world/told" "$world/said"
    as_owner $builder restart || true
    as_owner $builder wait -t 60 || true
    build by-the-new
fi
fact "by-the-new $(version)"
fact "node $(sed -n 's/.*"event":"daemon-started".*"node":"v\([0-9.]*\)".*/\1/p' "$state/nix-state/log" 2>/dev/null | wc -l)"
fact "kept $(as_owner $builder ssh -- nix-store --check-validity "$first_built" >/dev/null 2>&1 && echo yes)"
as_owner $builder doctor --json >"$world/doctor.json" || true
fact "doctor $(tr -d '\n' <"$world/doctor.json")"

as_owner $builder stop
unconfigure --purge --yes
given_back given-back
fact "nothing-left $([ -e "$state" ] && ls -A "$state" || echo yes)"
