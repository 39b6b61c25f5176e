# One of our modules, evaluated on lib.nix: what it sets, and the texts of the files that it makes, each under the path that stands for it.
{ module, said, world, isDarwin, hasDeterminate ? false, isOldHome ? false, isWritten ? false }:
let
  lib = import ./lib.nix;
  said' = builtins.fromJSON said;
  # Where it is, or with isWritten what it says.
  kept = name: text: if isWritten then text else "/nix/store/00000000000000000000000000000000-${name}";
  pkgs = {
    stdenv.hostPlatform = { inherit isDarwin; system = if isDarwin then "aarch64-darwin" else "x86_64-linux"; };
    runtimeShell = "/bin/sh";
    writeText = kept;
    writeShellScript = kept;
    openssh = "/openssh";
    coreutils = "/coreutils";
    gnugrep = "/gnugrep";
    findutils = "/findutils";
    util-linux = "/util-linux";
  };
  self.packages = { aarch64-darwin.linuxkit-builder = "/package"; x86_64-linux.linuxkit-builder = "/package"; };
  made = import module self { inherit lib pkgs options config; };
  options = (if hasDeterminate then { determinateNix = { }; } else { }) // {
    launchd.agents.type.getSubOptions = _: { enable = { }; config = { }; } // (if isOldHome then { } else { waitForNixStore = { }; });
  };
  config = builtins.fromJSON world // {
    services.linuxkit-builder = lib.configured made.options.services.linuxkit-builder said';
  };
  common = import ../../packaging/nix/common.nix {
    inherit lib pkgs;
    cfg = config.services.linuxkit-builder;
    by = "test";
    directory = "/var/lib/linuxkit-builder";
  };
  # The scripts themselves in the place of where they are.
  written = import ../../packaging/nix/common.nix {
    inherit lib;
    pkgs = pkgs // { writeShellScript = _: text: text; writeText = _: text: text; };
    cfg = config.services.linuxkit-builder;
    by = "test";
    directory = "/var/lib/linuxkit-builder";
  };
in
{
  daemon = written.daemon;
  settings = written.settingsFile;
  sets = lib.decided made.config;
  inherit (common) machinesLine sshConfig;
  launcher = common.launcher "/log";
  # Without their types, which lib.nix only names.
  options = builtins.attrNames made.options.services.linuxkit-builder;
}
