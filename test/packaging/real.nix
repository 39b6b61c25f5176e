# The module on all of nix-darwin with the real lib of nixpkgs, and packages of which only the names are there.
{ nixDarwin, nixpkgsLib, said }:
let
  lib = import (nixpkgsLib + "/lib");
  isEnabled = lib.attrByPath [ "services" "linuxkit-builder" "enable" ] false (builtins.fromJSON said);
  package = name: version: (derivation {
    name = "${name}-${version}";
    system = "aarch64-darwin";
    builder = "/bin/sh";
  }) // { inherit version; pname = name; meta.mainProgram = name; };
  # Versions matter: nix-darwin asks which fields a list of builders may have.
  versions = { nix = "2.31.0"; };
  names = [ "nix" "bash" "zsh" "bashInteractive" "coreutils" "gnugrep" "gnused" "jq" "perl" "texinfoInteractive" "cacert" "findutils" "openssh" "git" "shellcheck-minimal" "shellcheck" "nix-info" "nvd" "man" "less" "nixos-render-docs" "xz" "rsync" "darwin-option" "nix-darwin" "darwin-rebuild" "darwin-version" "darwin-uninstaller" "mas" "diffutils" "fzf" ];
  text = name: contents: (derivation {
    inherit name;
    system = "aarch64-darwin";
    builder = "/bin/sh";
    args = [ "-c" "printf %s \"$contents\" >$out" ];
    contents = if builtins.isString contents then contents else toString contents;
  });
  pkgs = lib.genAttrs names (name: package name (versions.${name} or "1.0")) // {
    inherit lib;
    stdenv = { hostPlatform = lib.systems.elaborate "aarch64-darwin"; shell = "/bin/sh"; mkDerivation = args: package (args.name or args.pname) "1"; };
    hostPlatform = lib.systems.elaborate "aarch64-darwin";
    system = "aarch64-darwin";
    runtimeShell = "/bin/sh";
    stdenvNoCC = { shell = "/bin/sh"; mkDerivation = args: package (args.name or "x") "1"; };
    writeText = text;
    writeShellScript = text;
    writeScript = text;
    writeScriptBin = text;
    writeShellScriptBin = text;
    writeTextFile = args: text args.name (args.text or "");
    writeShellApplication = args: text args.name args.text;
    writeTextDir = name: text (baseNameOf name);
    runCommand = name: _: text name;
    runCommandLocal = name: _: text name;
    buildEnv = args: package args.name "1";
    symlinkJoin = args: package args.name "1";
    formats = { json = _: { type = lib.types.anything; generate = text; }; };
    path = nixpkgsLib;
    replaceVars = _: _: package "replaced" "1";
    substituteAll = _: package "replaced" "1";
  };
  self.packages.aarch64-darwin.linuxkit-builder = package "linuxkit-builder" "1.0";
  system = import (nixDarwin + "/eval-config.nix") {
    inherit lib;
    enableNixpkgsReleaseCheck = false;
    modules = [
      (import ../../packaging/nix/darwin.nix self)
      (builtins.fromJSON said)
      {
        _module.args.pkgs = lib.mkForce pkgs;
        nixpkgs.hostPlatform = "aarch64-darwin";
        system.stateVersion = 6;
        system.checks.verifyNixPath = false;
        documentation.enable = false;
      }
    ];
  };
  inherit (system) config;
in
{
  failed = map (each: each.message) (lib.filter (each: !each.assertion) config.assertions);
  plist = config.environment.launchDaemons."org.nix-community.linuxkit-builder.plist".text or null;
  machines = config.environment.etc."nix/machines".text or null;
  ssh = config.environment.etc."ssh/ssh_config.d/100-linuxkit-builder.conf".text or null;
  activation = config.system.activationScripts.script.text;
}
