# The module for NixOS: a system service under an account of its own.
self:
{ config, lib, pkgs, ... }:
let
  cfg = config.services.linuxkit-builder;
  account = "linuxkit-builder";
  by = "NixOS";
  directory = "/var/lib/linuxkit-builder";
  restart = "sudo systemctl restart linuxkit-builder";
  common = import ./common.nix { inherit lib pkgs cfg by directory; };
in
{
  options.services.linuxkit-builder = import ./options.nix { inherit lib pkgs self; };

  config = lib.mkMerge [
    (lib.mkIf cfg.enable {
      inherit (common) assertions;
      environment.systemPackages = [ cfg.package ];
      programs.ssh.extraConfig = common.sshConfig;
      nix.distributedBuilds = true;
      nix.buildMachines = [ common.machine ];

      # Its group may ask the daemon by its socket.
      users.groups.${account} = { };
      users.users.${account} = {
        isSystemUser = true;
        group = account;
        # For /dev/kvm.
        extraGroups = [ "kvm" ];
        home = directory;
        description = "linuxkit-builder";
      };

      systemd.services.linuxkit-builder = {
        inherit (common) description;
        documentation = [ "man:linuxkit-builder(1)" ];
        wantedBy = [ "multi-user.target" ];
        wants = [ "network-online.target" ];
        after = [ "network-online.target" ];
        path = [ pkgs.openssh pkgs.coreutils pkgs.gnugrep pkgs.findutils ];
        environment = common.environment // { HOME = directory; };
        # A switch would end the builds in it: a daemon that runs goes on as it is.
        restartIfChanged = false;
        serviceConfig = common.systemdService // {
          User = account;
          Group = account;
          StateDirectory = "linuxkit-builder";
          StateDirectoryMode = "0710";
          # As root: root's own key, and what ssh has to know.
          ExecStartPre = "+${pkgs.writeShellScript "linuxkit-builder-keys" ''
            set -eu
            ${common.refuseTheirs}
            hostKey=$(${pkgs.util-linux}/bin/runuser -u ${account} -- ${common.prepare})
            ${common.rootFiles { inherit account restart; }}
          ''}";
        };
      };
    })
    (lib.mkIf (!cfg.enable) {
      system.activationScripts.linuxkit-builder-gone = ''
        # linuxkit-builder is not declared: what an earlier configuration made of it goes
        if [ -e ${directory}/.linuxkit-builder ] && grep -q '"by": "${by}"' ${common.ours}/installed.json 2>/dev/null; then
          rm -rf ${directory} || echo "linuxkit-builder: ${directory} was not deleted" >&2
          ${common.removeRootFiles}
        fi
      '';
    })
  ];
}
