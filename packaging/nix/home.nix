# The module for home-manager: a job of the user's, at login. What root has to know of it root is told once, by: linuxkit-builder configure.
self:
{ config, lib, pkgs, ... }:
let
  cfg = config.services.linuxkit-builder;
  by = "home-manager";
  label = "org.nix-community.linuxkit-builder";
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
  options.services.linuxkit-builder = import ./options.nix {
    inherit lib pkgs self;
    defaultSystem = builtins.replaceStrings [ "darwin" ] [ "linux" ] pkgs.stdenv.hostPlatform.system;
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = builtins.length cfg.systems == 1;
        message = "services.linuxkit-builder.systems has to name one system: a builder is one machine.";
      }
    ];
    home.packages = [ cfg.package ];
    home.activation.linuxkit-builder = lib.hm.dag.entryBetween [ "setupLaunchAgents" "reloadSystemd" ] [ "writeBoundary" ] ''
      run --quiet ${common.prepare}
      ${lib.optionalString isDarwin ''
        if ! cmp -s ${launcherFile} "${launcher}"; then
          run mkdir -p "$(dirname "${launcher}")"
          run install -m 755 ${launcherFile} "${launcher}"
        fi
      ''}
    '';

    # It never changes: home-manager would end the daemon to load another, and may leave it unloaded.
    launchd.agents.linuxkit-builder = lib.mkIf isDarwin {
      enable = true;
      waitForNixStore = false;
      config = {
        Label = label;
        ProgramArguments = [ launcher ];
        RunAtLoad = true;
        KeepAlive.SuccessfulExit = false;
        ThrottleInterval = 10;
        ExitTimeOut = 60;
        ProcessType = "Interactive";
        Umask = 63;
        WorkingDirectory = "/";
        EnvironmentVariables = common.environment // { PATH = "/usr/bin:/bin:/usr/sbin:/sbin"; };
      };
    };

    systemd.user.services.linuxkit-builder = lib.mkIf (!isDarwin) {
      Unit = {
        Description = "A Linux machine that Nix can build on";
        X-SwitchMethod = "keep-old";
      };
      Install.WantedBy = [ "default.target" ];
      Service = {
        Type = "exec";
        ExecStart = ''"${common.daemon}" daemon --managed --directory "${directory}"'';
        Environment = lib.mapAttrsToList (name: value: "${name}=${value}") common.environment;
        Restart = "on-failure";
        RestartSec = 10;
        RestartPreventExitStatus = 69;
        KillMode = "mixed";
        TimeoutStopSec = 60;
        UMask = "0077";
        WorkingDirectory = "/";
      };
    };
  };
}
