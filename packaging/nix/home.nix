# The module for home-manager: a job of the user's, at login. What root has to know of it root is told once, by: linuxkit-builder configure.
self:
{ config, lib, options, pkgs, ... }:
let
  cfg = config.services.linuxkit-builder;
  by = "home-manager";
  directory = "${config.xdg.cacheHome}/nix-linuxkit-builder";
  home = config.home.homeDirectory;
  # Beside the one that configure writes, which is another's.
  launcher = "${home}/Library/Application Support/linuxkit-builder/declared/linuxkit-builder";
  common = import ./common.nix {
    inherit lib pkgs cfg by directory;
    shared = false;
  };
  launcherFile = pkgs.writeText "linuxkit-builder-launcher" (common.launcher (lib.escapeShellArg "${home}/Library/Logs/linuxkit-builder.log"));
  isDarwin = pkgs.stdenv.hostPlatform.isDarwin;
in
{
  options.services.linuxkit-builder = import ./options.nix { inherit lib pkgs self; };

  config = lib.mkIf cfg.enable {
    assertions = common.systemAssertions;
    home.packages = [ cfg.package ];
    home.activation.linuxkit-builder = lib.hm.dag.entryBetween [ "setupLaunchAgents" "reloadSystemd" ] [ "writeBoundary" ] ''
      run --quiet ${common.prepare}
      ${lib.optionalString isDarwin ''
        if ! cmp -s ${launcherFile} ${lib.escapeShellArg launcher}; then
          run mkdir -p ${lib.escapeShellArg (dirOf launcher)}
          run install -m 755 ${launcherFile} ${lib.escapeShellArg launcher}
        fi
      ''}
    '';

    # It never changes: home-manager would end the daemon to load another, and may leave it unloaded.
    # Releases before 26.11 have no such option, and put a shell before the launcher.
    launchd.agents.linuxkit-builder = lib.mkIf isDarwin ({
      enable = true;
      config = common.launchdJob launcher;
    } // lib.optionalAttrs (options.launchd.agents.type.getSubOptions [ ] ? waitForNixStore) { waitForNixStore = false; });

    systemd.user.services.linuxkit-builder = lib.mkIf (!isDarwin) {
      Unit = {
        Description = common.description;
        X-SwitchMethod = "keep-old";
      };
      Install.WantedBy = [ "default.target" ];
      Service = common.systemdService // {
        Environment = lib.mapAttrsToList (name: value: common.systemdWord "${name}=${value}") common.environment;
      };
    };
  };
}
