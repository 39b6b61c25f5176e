# What the modules make of the options: config.json, the builder's line for Nix, and the texts of ssh and of what is run.
{ lib, pkgs, cfg, by, directory, shared ? true }:
let
  set = lib.filterAttrs (_: value: value != null);
  told = set {
    system = builtins.head cfg.systems;
    features = cfg.supportedFeatures;
    inherit (cfg) mandatoryFeatures maxJobs protocol speedFactor port;
    cpus = cfg.cores;
    memoryMiB = cfg.memory;
    diskGiB = cfg.disk;
    start = if cfg.onDemand.enable then "demand" else "login";
    extraSystems = if cfg.extraSystems == [ ] then null else cfg.extraSystems;
    idle = if cfg.onDemand.enable then { how = "stop"; inherit (cfg.onDemand) after; } else { how = "never"; };
  };
  # A part of `idle` in the settings leaves the other parts to the options.
  settings = told // cfg.settings // lib.optionalAttrs (builtins.isAttrs (cfg.settings.idle or null)) { idle = told.idle // cfg.settings.idle; };
  # What the options name otherwise than config.json does. Of `start` and `idle` they have only a part, so that `settings` may say more.
  optionOf = {
    system = "systems";
    features = "supportedFeatures";
    cpus = "cores";
    memoryMiB = "memory";
    diskGiB = "disk";
    mandatoryFeatures = "mandatoryFeatures";
    maxJobs = "maxJobs";
    protocol = "protocol";
    speedFactor = "speedFactor";
    port = "port";
    extraSystems = "extraSystems";
  };
  # An option that is not set says nothing that could be contradicted.
  contradicted = builtins.filter
    (name: cfg.settings ? ${name} && told ? ${name} && cfg.settings.${name} != told.${name})
    (builtins.attrNames optionOf);
  program = "${cfg.package}/bin/linuxkit-builder";
  ours = "/etc/nix/linuxkit-builder";
  systems = cfg.systems ++ (settings.extraSystems or [ ]);
in
rec {
  inherit program ours;
  label = "org.nix-community.linuxkit-builder";
  description = "Linux builder for Nix";
  settingsFile = pkgs.writeText "linuxkit-builder.json" (builtins.toJSON settings);

  # No key is in it: those are made at activation, and ssh knows where they are.
  machine = {
    hostName = "nix-linuxkit";
    sshUser = "builder";
    inherit systems;
    inherit (cfg) maxJobs speedFactor mandatoryFeatures protocol;
    supportedFeatures = lib.unique (cfg.supportedFeatures ++ cfg.mandatoryFeatures ++ [ "linuxkit-builder" ]);
  };
  machinesLine = lib.concatStringsSep " " [
    "${cfg.protocol}://${machine.sshUser}@${machine.hostName}"
    (lib.concatStringsSep "," systems)
    "-"
    (toString cfg.maxJobs)
    (toString cfg.speedFactor)
    (lib.concatStringsSep "," machine.supportedFeatures)
    (if cfg.mandatoryFeatures == [ ] then "-" else lib.concatStringsSep "," cfg.mandatoryFeatures)
  ];

  holdSeconds = settings.holdSeconds or 180;
  sshConfig = builtins.replaceStrings
    [ "@PORT@" "@TIMEOUT@" ]
    [ (toString cfg.port) (toString (holdSeconds + 10)) ]
    (builtins.readFile ./ssh_config);

  # What the job runs: the image is made where there is none yet, which takes minutes and the network, so not at activation. Its name
  # depends on the guest's system, so that our program looks for it; one that is somebody's own is not for us to make.
  daemon = pkgs.writeShellScript "linuxkit-builder-daemon" ''
    # Called as our program is: daemon --managed --directory DIRECTORY
    ${lib.optionalString (!(settings ? bundle)) ''
    ${program} image info -d ${lib.escapeShellArg directory} >/dev/null 2>&1 || ${program} image build -d ${lib.escapeShellArg directory} || :
    ''}exec ${program} "$@"
  '';
  environment = {
    LINUXKIT_BUILDER_DIR = directory;
    LINUXKIT_BUILDER_DECLARED_BY = by;
  };

  # No setting and no version is in it: who loads it anew ends the daemon, and the builds in it.
  launchdJob = launcher: {
    Label = label;
    ProgramArguments = [ launcher ];
    RunAtLoad = true;
    KeepAlive.SuccessfulExit = false;
    ThrottleInterval = 10;
    ExitTimeOut = 60;
    ProcessType = "Interactive";
    Umask = 63;
    WorkingDirectory = "/";
    EnvironmentVariables = environment // { PATH = "/usr/bin:/bin:/usr/sbin:/sbin"; }
      // lib.optionalAttrs shared { HOME = directory; };
  };
  # A word in quotes, in which % stands for itself (systemd.syntax(7), systemd.unit(5)).
  systemdWord = text: builtins.replaceStrings [ "%" ] [ "%%" ] (builtins.toJSON text);
  # The same in ExecStart, where $ is a variable (systemd.service(5)).
  commandWord = text: builtins.replaceStrings [ "$" ] [ "$$" ] (systemdWord text);
  systemdService = {
    Type = "exec";
    ExecStart = "${systemdWord "${daemon}"} daemon --managed --directory ${commandWord directory}";
    Restart = "on-failure";
    RestartSec = 10;
    RestartPreventExitStatus = 69;
    KillMode = "mixed";
    TimeoutStopSec = 60;
    UMask = "0077";
    WorkingDirectory = "/";
  };
  # The same launcher as configure's, in which a shell stands for Node and the script above for the program.
  launcher = log: builtins.replaceStrings
    [ "@NAMED@" "@NODE@" "@PROGRAM@" "@MAIN@" "@STATE@" "@LOG@" "@DOMAIN@" "@LABEL@" ]
    ((map lib.escapeShellArg [ pkgs.runtimeShell pkgs.runtimeShell "${daemon}" "${daemon}" directory ]) ++ [ log (if shared then "system" else "''") label ])
    (builtins.replaceStrings [ "Written by `linuxkit-builder configure`." ] [ "Written by ${by}." ] (builtins.readFile ../../launchd/launcher.sh));

  prepare = "${program} prepare -d ${lib.escapeShellArg directory} --settings ${settingsFile}${lib.optionalString shared " --shared"}";

  systemAssertions = [
    {
      assertion = contradicted == [ ];
      message = "services.linuxkit-builder.settings contradicts other options of this module, which are what Nix and ssh are told. "
        + lib.concatStringsSep " " (map (name: "Instead of settings.${name}, set ${optionOf.${name}}.") contradicted);
    }
    {
      assertion = builtins.length cfg.systems == 1;
      message = "services.linuxkit-builder.systems must name exactly one system: a builder is one machine.";
    }
    {
      assertion = !(settings ? extraSystems) || cfg.systems == [ "x86_64-linux" ];
      message = "services.linuxkit-builder.extraSystems: only an x86_64-linux guest runs programs of another system.";
    }
  ];
  # Of the modules for a whole system.
  assertions = systemAssertions ++ [
    {
      assertion = (settings.door or "tcp") == "tcp";
      message = "services.linuxkit-builder.settings.door cannot be \"unix\" here, because the module tells ssh a port. Leave it out, or declare the builder with home-manager and run `linuxkit-builder configure`.";
    }
  ];

  # As root, before anything else: what root keeps of a builder that somebody has configured is not for an activation to write over.
  refuseTheirs = ''
    if [ -e ${ours}/installed.json ] && ! grep -q '"by": "${by}"' ${ours}/installed.json; then
      echo "linuxkit-builder: this machine has a builder that ${by} does not declare: ${ours}/installed.json says whose it is. Nothing was changed. Its owner must run this first: linuxkit-builder unconfigure. If that user is gone: sudo linuxkit-builder unconfigure --owner-gone" >&2
      exit 1
    fi
  '';

  # As root, at each activation: root's own key, and what ssh and our program have to know. $hostKey is what `prepare` said; it is the
  # word of another account, so that it is looked at.
  rootFiles = { account, restart }: ''
    case $hostKey in
    "ssh-ed25519 "*[!A-Za-z0-9+/=\ -]*) hostKey= ;;
    "ssh-ed25519 "*) ;;
    *) hostKey= ;;
    esac
    if [ -z "$hostKey" ]; then echo "linuxkit-builder: the keys could not be made" >&2; exit 1; fi
    linuxkitPut() {
      [ "$(cat ${ours}/"$1" 2>/dev/null || :)" = "$2" ] && return
      printf '%s\n' "$2" >${ours}/"$1.new"
      chmod 644 ${ours}/"$1.new"
      mv -f ${ours}/"$1.new" ${ours}/"$1"
    }
    mkdir -p ${ours}
    chmod 755 ${ours}
    # ssh-keygen of this system, on the PATH of the activation.
    if ! ssh-keygen -y -P "" -f ${ours}/client_ed25519 >/dev/null 2>&1; then
      rm -f ${ours}/client_ed25519
      ssh-keygen -q -t ed25519 -N "" -C nix-daemon -f ${ours}/client_ed25519
    fi
    linuxkitPut client_ed25519.pub "$(ssh-keygen -y -P "" -f ${ours}/client_ed25519)"
    linuxkitPut known_hosts "nix-linuxkit $hostKey"
    linuxkitPut installed.json "{
      \"version\": 2,
      \"owner\": { \"name\": \"${account}\", \"uid\": $(id -u ${account}), \"directory\": \"${directory}\" },
      \"declared\": { \"by\": \"${by}\", \"restart\": \"${restart}\" }
    }"
  '';

  # Root's files of a builder that was declared once, and no other's.
  removeRootFiles = ''
    if grep -q '"by": "${by}"' ${ours}/installed.json 2>/dev/null; then
      for name in client_ed25519 client_ed25519.pub known_hosts installed.json; do rm -f ${ours}/"$name"; done
      rmdir ${ours} 2>/dev/null || :
    fi
  '';
  # By the mark that our program puts there, and by whose it is.
  removeDirectory = account: ''
    if [ -e ${directory}/.linuxkit-builder ] && [ -n "$(find ${directory} -prune -user ${account} 2>/dev/null)" ]; then
      rm -rf ${directory} || echo "linuxkit-builder: ${directory} was not deleted" >&2
    fi
  '';
}
