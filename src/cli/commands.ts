/** The commands, in the order in which the help shows them. What one needs beside its row is loaded when it is called. */
import type { CommandRow } from './command-row.ts';

/** By the headings of the help. */
export const commandGroups: Readonly<Record<string, readonly CommandRow[]>> = {
  'Set up:': [
    {
      name: 'up',
      summary: 'set up everything, and build a first derivation in the guest',
      load: async () => (await import('./up/up-command.ts')).upCommand,
    },
    {
      name: 'configure',
      summary: 'set up the builder and register it with ssh and Nix; run again to change settings',
      load: async () => (await import('./setup/configure-command.ts')).configureCommand,
    },
    {
      name: 'unconfigure',
      alias: 'uninstall',
      summary:
        'stop the daemon and undo everything that configure changed outside the state directory',
      load: async () => (await import('./setup/unconfigure-command.ts')).unconfigureCommand,
    },
    {
      name: 'prepare',
      summary: 'for the Nix modules: create the state directory with its settings and keys',
      hidden: true,
      load: async () => (await import('./setup/prepare-command.ts')).prepareCommand,
    },
    {
      name: 'image',
      usage: '',
      summary: 'build, update or inspect the image that the guest boots',
      load: async () => (await import('./image/image-command.ts')).imageCommands,
    },
    {
      name: 'upgrade',
      usage: '[options...]',
      summary: 'update the image to the newest packages (same as: image update)',
      load: async () => (await import('./image/upgrade-command.ts')).upgradeCommand,
    },
    {
      name: 'keys',
      usage: '',
      summary: 'replace the keys',
      load: async () => (await import('./setup/keys-command.ts')).keysCommands,
    },
  ],
  'Use:': [
    {
      name: 'status',
      summary: 'show the current state, and the reason for it',
      load: async () => (await import('./status/status-command.ts')).statusCommand,
    },
    {
      name: 'start',
      summary: 'start the daemon in the background, and the guest with it',
      load: async () => (await import('./daemon/run-commands.ts')).startCommand,
    },
    {
      name: 'stop',
      summary: 'shut the guest down cleanly and stop the daemon',
      load: async () => (await import('./daemon/run-commands.ts')).stopCommand,
    },
    {
      name: 'restart',
      summary: 'restart the guest with the current settings, and after an upgrade also the daemon',
      load: async () => (await import('./daemon/restart-command.ts')).restartCommand,
    },
    {
      name: 'suspend',
      summary: 'suspend the guest (or stop it, where it cannot be suspended) until the next build',
      load: async () => (await import('./guest/suspend-commands.ts')).suspendCommand,
    },
    {
      name: 'resume',
      summary: 'resume a suspended guest, or start a stopped one, without waiting for a build',
      load: async () => (await import('./guest/suspend-commands.ts')).resumeCommand,
    },
    {
      name: 'wait',
      summary: 'wait until Nix can build here',
      load: async () => (await import('./daemon/wait-command.ts')).waitCommand,
    },
    {
      name: 'ssh',
      usage: '[options] [command...]',
      summary: 'open a shell in the guest, or run a command there',
      load: async () => (await import('./guest/ssh-command.ts')).sshCommand,
    },
    {
      name: 'debug',
      usage: '[options] <derivation> [command...]',
      summary: 'open a shell in the sandbox of a failed build',
      load: async () => (await import('./guest/debug-command.ts')).debugCommand,
    },
  ],
  'Builds and disk space:': [
    {
      name: 'drain',
      summary: 'send new builds to other builders, until undrain or a restart of the daemon',
      load: async () => (await import('./guest/drain-commands.ts')).drainCommand,
    },
    {
      name: 'undrain',
      summary: 'accept new builds again',
      load: async () => (await import('./guest/drain-commands.ts')).undrainCommand,
    },
    {
      name: 'gc',
      summary: "delete unused paths from the guest's store, and return the space to this machine",
      load: async () => (await import('./guest/give-back-commands.ts')).gcCommand,
    },
    {
      name: 'trim',
      summary: "return the free space on the guest's disk to this machine",
      load: async () => (await import('./guest/give-back-commands.ts')).trimCommand,
    },
    {
      name: 'disk',
      usage: '',
      summary: "reset the guest's disk, or keep it despite a warning",
      load: async () => (await import('./guest/disk-command.ts')).diskCommands,
    },
  ],
  'Find out what is wrong:': [
    {
      name: 'doctor',
      summary: 'check the whole path from Nix to a finished build, and suggest fixes',
      load: async () => (await import('../doctor/doctor-command.ts')).doctorCommand,
    },
    {
      name: 'explain',
      usage: '[options] <installable>',
      summary: 'explain why a build would or would not run on this builder',
      load: async () => (await import('./explain/explain-command.ts')).explainCommand,
    },
    {
      name: 'logs',
      summary: "show the daemon's log",
      load: async () => (await import('./inspect/follow-commands.ts')).logsCommand,
    },
    {
      name: 'console',
      summary: "show the guest's console, including earlier boots",
      load: async () => (await import('./inspect/follow-commands.ts')).consoleCommand,
    },
    {
      name: 'boot-report',
      summary: 'show how long each step of the last starts took',
      load: async () => (await import('./inspect/boot-report-command.ts')).bootReportCommand,
    },
    {
      name: 'verdicts',
      summary: 'show what was found to work, or not, on this machine',
      load: async () => (await import('./inspect/verdicts-command.ts')).verdictsCommand,
    },
  ],
  'For other programs:': [
    {
      name: 'list',
      alias: 'ls',
      summary: 'list the builders on this machine',
      load: async () => (await import('./inspect/list-command.ts')).listCommand,
    },
    {
      name: 'machines',
      summary: "print the builder's line for /etc/nix/machines",
      load: async () => (await import('./inspect/registered-commands.ts')).machinesCommand,
    },
    {
      name: 'ssh-config',
      summary: 'print the ssh_config that leads to the guest',
      load: async () => (await import('./inspect/registered-commands.ts')).sshConfigCommand,
    },
    {
      name: 'completion',
      usage: '<shell>',
      summary: 'print the completion script for a shell',
      load: async () => (await import('./shell/completion-command.ts')).completionCommand,
    },
    {
      name: 'man',
      usage: '',
      summary: 'print the manual page',
      load: async () => (await import('./shell/completion-command.ts')).manCommand,
    },
    {
      name: 'daemon',
      summary: 'run the daemon in the foreground',
      load: async () => (await import('./daemon/daemon-command.ts')).daemonCommand,
    },
  ],
};
