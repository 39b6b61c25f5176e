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
    description = "Whether to run a Linux builder for Nix.";
  };
  package = mkOption {
    type = types.package;
    default = self.packages.${pkgs.stdenv.hostPlatform.system}.linuxkit-builder;
    description = "The linuxkit-builder package.";
  };
  systems = mkOption {
    type = types.listOf types.str;
    default = [ (builtins.replaceStrings [ "darwin" ] [ "linux" ] pkgs.stdenv.hostPlatform.system) ];
    description = "The system that it builds for; one only. A system other than this machine's is emulated, about ten times slower (an estimate).";
  };
  extraSystems = mkOption {
    type = types.listOf (types.enum [ "i686-linux" ]);
    default = [ ];
    description = "Other systems that an x86_64-linux guest builds for: i686-linux. `linuxkit-builder status` reports if the guest cannot run such programs.";
  };
  maxJobs = mkOption {
    type = types.ints.positive;
    default = 4;
    description = "How many builds Nix sends at a time.";
  };
  supportedFeatures = mkOption {
    type = types.listOf types.str;
    default = [ "big-parallel" "benchmark" ];
    description = "System features that it offers. `linuxkit-builder` is always one of them.";
  };
  mandatoryFeatures = mkOption {
    type = types.listOf types.str;
    default = [ ];
    description = "Nix sends only builds that require all of these.";
  };
  protocol = mkOption {
    type = types.enum [ "ssh-ng" "ssh" ];
    default = "ssh-ng";
    description = "How Nix talks to the builder.";
  };
  speedFactor = mkOption {
    type = types.ints.positive;
    default = 1;
    description = "Among several builders, Nix prefers the one with the larger factor.";
  };
  cores = nullOr types.ints.positive "CPUs of the guest. Default: as many as the host has, on Apple silicon as many as it has performance cores but at least 4; at most 8.";
  memory = nullOr types.ints.positive "Memory of the guest in MiB. Default: a quarter of the host's, but at least 2048 and at most 8192, and never more than half of it.";
  disk = nullOr types.ints.positive "Size of the guest's disk in GiB. The disk takes only the space that is used. Default: 80.";
  port = mkOption {
    type = types.port;
    default = 24083;
    description = "The front door's port on 127.0.0.1.";
  };
  onDemand = {
    enable = mkOption {
      type = types.bool;
      default = true;
      description = "Whether the guest starts with the first build, and is stopped when it is unused.";
    };
    after = mkOption {
      type = types.str;
      default = "10 min";
      description = "How long the guest must be unused.";
    };
  };
  settings = mkOption {
    type = types.attrsOf types.anything;
    default = { };
    description = "Other settings of config.json, by their names there (docs/configuration.md). They may not contradict those of the options above that are set.";
  };
}
