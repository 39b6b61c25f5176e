# The options that the modules share. Those that nix.linux-builder (nix-darwin) has too are named and typed as there.
{ lib, pkgs, self }:
let
  inherit (lib) mkOption types;
  nullOr = type: description: mkOption {
    type = types.nullOr type;
    default = null;
    inherit description;
  };
in
{
  enable = mkOption {
    type = types.bool;
    default = false;
    description = "Whether to run a Linux machine that Nix can build on.";
  };
  package = mkOption {
    type = types.package;
    default = self.packages.${pkgs.stdenv.hostPlatform.system}.linuxkit-builder;
    description = "The program.";
  };
  systems = mkOption {
    type = types.listOf types.str;
    default = [ (builtins.replaceStrings [ "darwin" ] [ "linux" ] pkgs.stdenv.hostPlatform.system) ];
    description = "What it builds: one system. Another than this machine's own is emulated, several times slower.";
  };
  extraSystems = mkOption {
    type = types.listOf (types.enum [ "i686-linux" ]);
    default = [ ];
    description = "What an x86_64-linux guest builds besides, where its processor runs such programs: i686-linux. Nix is told so at once; `linuxkit-builder status` says where the guest does not run them.";
  };
  maxJobs = mkOption {
    type = types.ints.positive;
    default = 4;
    description = "How many builds Nix sends at a time.";
  };
  supportedFeatures = mkOption {
    type = types.listOf types.str;
    default = [ "big-parallel" "benchmark" ];
    description = "System features that it offers; `linuxkit-builder` is always among them.";
  };
  mandatoryFeatures = mkOption {
    type = types.listOf types.str;
    default = [ ];
    description = "Only what requires all of these is built there.";
  };
  protocol = mkOption {
    type = types.enum [ "ssh-ng" "ssh" ];
    default = "ssh-ng";
    description = "How Nix talks to it.";
  };
  speedFactor = mkOption {
    type = types.ints.positive;
    default = 1;
    description = "How much faster than other builders Nix may think it.";
  };
  cores = nullOr types.ints.positive "CPUs of the guest; by default the host's, at most 8.";
  memory = nullOr types.ints.positive "Memory of the guest in MiB; by default a quarter of the host's.";
  disk = nullOr types.ints.positive "Size of the guest's disk in GiB, which takes only what is used; by default 80.";
  port = mkOption {
    type = types.port;
    default = 24083;
    description = "Where it is reached on 127.0.0.1.";
  };
  onDemand = {
    enable = mkOption {
      type = types.bool;
      default = true;
      description = "Whether the guest starts with the first build, and goes when nobody uses it.";
    };
    after = mkOption {
      type = types.str;
      default = "10 min";
      description = "How long nobody has used it then.";
    };
  };
  settings = mkOption {
    type = types.attrsOf types.anything;
    default = { };
    description = "Further settings of config.json, by their names there (docs/configuration.md).";
  };
}
