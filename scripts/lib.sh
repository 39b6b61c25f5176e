# What scripts/up and scripts/test share. Sourced by sh.

say() { printf '%s\n' "==> $*"; }

# as_root COMMAND...: runs it as root, saying so when that needs sudo.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        say "sudo $*"
        sudo "$@"
    fi
}

# install_missing PROGRAM=DEBIAN_PACKAGES=BREW_FORMULAE...: installs the packages (commas between) of the programs that are
# not there.
install_missing() {
    wanted=
    for entry in "$@"; do
        program=${entry%%=*}
        rest=${entry#*=}
        [ -x "/usr/sbin/$program" ] || command -v "$program" >/dev/null 2>&1 && continue
        case $(uname -s) in
        Darwin) wanted="$wanted ${rest#*=}" ;;
        *) wanted="$wanted ${rest%%=*}" ;;
        esac
    done
    [ -z "$wanted" ] && return 0
    wanted=$(echo "$wanted" | tr , ' ')
    say "installing:$wanted"
    # Word splitting is meant: a list of package names.
    # shellcheck disable=SC2086
    case $(uname -s) in
    Darwin) brew install $wanted ;;
    *)
        # The lists may be missing or old on a fresh machine; one of somebody else's sources may be out of reach.
        as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >/dev/null || true
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $wanted >/dev/null
        ;;
    esac
}

need_node() {
    if ! command -v node >/dev/null 2>&1; then
        echo "linuxkit-builder: Node 20.19 or newer is required, with npm, and there is none on the PATH." >&2
        exit 69
    fi
    if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'; then
        echo "linuxkit-builder: Node 20.19 or newer is required, with npm; this is Node $(node -p process.versions.node) ($(command -v node))." >&2
        exit 69
    fi
}

# install_packages: node_modules as package-lock.json says, with no script of theirs run; nothing to do when it is that already.
install_packages() {
    if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
        say "installing the packages of package-lock.json"
        npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
        touch node_modules/.package-lock.json
    fi
}

qemu_arm=qemu-system-aarch64=qemu-system-arm=qemu
qemu_x86=qemu-system-x86_64=qemu-system-x86=qemu
case $(uname -m) in
arm64 | aarch64)
    qemu=$qemu_arm
    other_qemu=$qemu_x86
    other_arch=amd64
    ;;
*)
    qemu=$qemu_x86
    other_qemu=$qemu_arm
    other_arch=arm64
    ;;
esac
test_programs=
programs="$qemu mksquashfs=squashfs-tools=squashfs ssh=openssh-client=openssh xz=xz-utils=xz"
if [ "$(uname -s)" = Linux ]; then
    programs="$programs flock=util-linux=util-linux ps=procps=procps nix=nix-bin,nix-setup-systemd=nix"
    test_programs="$other_qemu mkfs.ext4=e2fsprogs=- useradd=passwd=- zstd=zstd=- plistutil=libplist-utils=- python3=python3-minimal=- chromium-headless-shell=chromium-headless-shell=- debootstrap=debootstrap=- busybox=busybox=-"
fi
