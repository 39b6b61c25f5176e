# The program, for callPackage of nixpkgs.
{
  lib,
  stdenv,
  buildNpmPackage,
  importNpmLock,
  qemu,
  squashfsTools,
  xz,
  openssh,
  gvproxy,
  vfkit,
  util-linux,
  procps,
  coreutils,
  registryFile ? ./registry,
}:
let
  package = builtins.fromJSON (builtins.readFile ../../package.json);
  registry = import ./registry.nix { file = registryFile; };
  lock = builtins.fromJSON (builtins.readFile ../../package-lock.json);
  programs = [
    qemu
    squashfsTools
    xz
    gvproxy
  ]
  ++ (if stdenv.hostPlatform.isDarwin then [ vfkit ] else [ util-linux procps coreutils ]);
in
buildNpmPackage {
  pname = package.name;
  inherit (package) version;
  src = lib.cleanSource ../..;
  npmDeps = importNpmLock {
    inherit package;
    packageLock = import ./lock.nix { inherit lock registry; };
  };
  npmConfigHook = importNpmLock.npmConfigHook;
  # On a Mac Apple's own ssh goes before: a user's configuration may have words that only it knows (UseKeychain).
  makeWrapperArgs = [
    "--prefix"
    "PATH"
    ":"
    (lib.makeBinPath programs)
    "--suffix"
    "PATH"
    ":"
    (lib.makeBinPath [ openssh ])
  ];
  meta = {
    inherit (package) description;
    homepage = "https://github.com/nix-community/linuxkit-builder";
    license = lib.licenses.mit;
    mainProgram = "linuxkit-builder";
    platforms = lib.platforms.darwin ++ lib.platforms.linux;
  };
}
