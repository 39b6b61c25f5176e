# An old release's Nix, as a client of this builder with its owner's key. Sourced by world.sh.
mkdir -p "/client$state" /client/nix/store /client/nix/var
mount --bind "$state" "/client$state"
cp -R /home/owner/.ssh /client/home/owner/
chroot /client chown -R owner: /nix /home/owner/.ssh
install -m 644 "$state/example.nix" /client/home/owner/
# A name of its own, so that it is no derivation that was built before.
sed -i 's/linuxkit-builder-example/linuxkit-builder-client/' /client/home/owner/example.nix
# Its mounts are its own, since Nix goes back to the root of its mount namespace.
cat >/client/enter <<'ENTER'
cd /client && pivot_root . mnt && exec </dev/null && umount -l /mnt
exec setpriv --reuid owner --regid owner --init-groups env -i HOME=/home/owner USER=owner PATH=/usr/bin:/bin "$@"
ENTER
in_client() { unshare -m sh /client/enter "$@"; }
fact "client-nix $(in_client nix-store --version)"
if in_client nix-build --no-out-link /home/owner/example.nix \
    --builders "ssh://nix-linuxkit x86_64-linux - 1 1 linuxkit-builder" >/tmp/out 2>/tmp/said; then
    fact "client-built $(cat "/client$(tail -n 1 /tmp/out)")"
else
    fact "client-refused $(tr '\n' ' ' </tmp/said)"
fi
# Its ssh reads our lines for every other host as well.
fact "client-other-host $(in_client ssh -G other.example 2>&1 | grep -i "^hostname \|bad conf")"
umount "/client$state"
