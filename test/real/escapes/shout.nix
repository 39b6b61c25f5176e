# No hole of Nix's: the kernel repeats what it does not know of a mount, lines and all, with a time before each as before its own.
derivation {
  name = "shout";
  system = builtins.currentSystem;
  builder = "/bin/sh";
  busybox = builtins.path {
    path = /usr/bin/busybox;
    name = "busybox";
  };
  args = [
    "-c"
    ''
      echo 'exec -a busybox $busybox mount -t tmpfs -o "$line" tmpfs /build' >mount
      for text in "EXT4-fs error (vda): shout: Remounting filesystem read-only" "Kernel panic - not syncing: shout"; do
        export line="x
      $text
      x"
        (exec -a busybox $busybox unshare -U -r -m /bin/sh ./mount)
      done
      echo done >$out
    ''
  ];
}
