# The module for nix-darwin: a daemon of the system under an account of its own. No agent of a user's: that may not reach the local network
# (macOS 15), needs a session on the screen, and stays when it is switched off (docs/decisions/packaging.md).
self:
{ config, lib, options, pkgs, ... }:
let
  cfg = config.services.linuxkit-builder;
  account = "_linuxkit-builder";
  id = toString cfg.uid;
  by = "nix-darwin";
  directory = "/var/lib/linuxkit-builder";
  support = "/Library/Application Support/linuxkit-builder";
  restart = "sudo launchctl kickstart -k system/${common.label}";
  common = import ./common.nix { inherit lib pkgs cfg by directory; };
  hasDeterminate = options ? determinateNix;
  usesDeterminate = hasDeterminate && (config.determinateNix.enable or true);
  launcherFile = pkgs.writeText "linuxkit-builder-launcher" (common.launcher "${directory}/launchd.log");
in
{
  options.services.linuxkit-builder = import ./options.nix { inherit lib pkgs self; } // {
    uid = lib.mkOption {
      type = lib.types.int;
      default = 347;
      description = "The uid and gid of the account that the daemon runs as.";
    };
    group = lib.mkOption {
      type = lib.types.str;
      default = "admin";
      description = "The group that may control the daemon through its socket: see its status, suspend, resume, drain and restart it.";
    };
  };

  config = lib.mkMerge [
    (lib.mkIf cfg.enable ({
      inherit (common) assertions;
      environment.systemPackages = [ cfg.package ];
      environment.etc."ssh/ssh_config.d/100-linuxkit-builder.conf".text = common.sshConfig;
      # With nix.enable = false nix-darwin ignores nix.buildMachines without a word, and leaves the file to us.
      environment.etc."nix/machines" = lib.mkIf (!usesDeterminate && !config.nix.enable) { text = "${common.machinesLine}\n"; };
      nix = lib.mkIf (!usesDeterminate && config.nix.enable) {
        distributedBuilds = true;
        buildMachines = [ common.machine ];
      };

      # It never changes: nix-darwin would end the daemon, and the builds in it, to load another. The launcher is what changes.
      launchd.daemons.linuxkit-builder.serviceConfig = common.launchdJob "${support}/linuxkit-builder" // { UserName = account; };

      system.activationScripts.extraActivation.text = lib.mkAfter ''
        # linuxkit-builder: an account, its directory, keys, and what launchd runs
        ${common.refuseTheirs}
        if ! /usr/bin/dscl . -read /Groups/${account} >/dev/null 2>&1; then
          /usr/bin/dscl . -create /Groups/${account} PrimaryGroupID ${id}
        fi
        if ! /usr/bin/id -u ${account} >/dev/null 2>&1; then
          /usr/bin/dscl . -create /Users/${account} UniqueID ${id}
          /usr/bin/dscl . -create /Users/${account} PrimaryGroupID ${id}
          /usr/bin/dscl . -create /Users/${account} RealName linuxkit-builder
          /usr/bin/dscl . -create /Users/${account} NFSHomeDirectory ${directory}
          /usr/bin/dscl . -create /Users/${account} UserShell /usr/bin/false
          /usr/bin/dscl . -create /Users/${account} IsHidden 1
        fi
        if [ "$(/usr/bin/id -u ${account})" != ${id} ]; then
          echo "linuxkit-builder: the account ${account} exists and its uid is not ${id}: set services.linuxkit-builder.uid to its uid" >&2
          exit 1
        fi
        mkdir -p /var/lib
        /usr/bin/install -d -m 710 -o ${account} -g ${lib.escapeShellArg cfg.group} ${directory}
        hostKey=$(cd / && /usr/bin/sudo -u ${account} -H ${common.prepare})
        ${common.rootFiles { inherit account restart; }}
        mkdir -p "${support}"
        if ! cmp -s ${launcherFile} "${support}/linuxkit-builder"; then
          cp ${launcherFile} "${support}/linuxkit-builder.new"
          chmod 755 "${support}/linuxkit-builder.new"
          mv -f "${support}/linuxkit-builder.new" "${support}/linuxkit-builder"
          echo "linuxkit-builder: a running daemon keeps its version and its builds until you run: ${restart}"
        fi
      '';
    } // lib.optionalAttrs hasDeterminate {
      determinateNix = lib.mkIf usesDeterminate {
        distributedBuilds = true;
        buildMachines = [ common.machine ];
      };
    }))
    (lib.mkIf (!cfg.enable) {
      # Nothing where nothing is ours. By now launchd has been told to forget the job.
      system.activationScripts.postActivation.text = lib.mkAfter ''
        # linuxkit-builder is not declared: what an earlier configuration made of it goes
        if [ "$(/usr/bin/dscl . -read /Users/${account} RealName 2>/dev/null | tr -d '\n')" = "RealName: linuxkit-builder" ]; then
          ${common.removeDirectory account}
          ${common.removeRootFiles}
          rm -rf "${support}"
          /usr/bin/dscl . -delete /Users/${account}
          /usr/bin/dscl . -delete /Groups/${account}
        fi
      '';
    })
  ];
}
