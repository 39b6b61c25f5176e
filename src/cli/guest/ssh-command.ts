import { instance } from '../../config/instance.ts';
import type { Command } from 'commander';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';

interface SshOptions extends DirectoryOption {
  readonly root?: boolean;
}

/** `ssh [-- COMMAND]`: a shell, or one command, in the guest, through the front door as Nix comes. */
export function sshVerb(program: Command, context: CliContext): void {
  program
    .command('ssh')
    .description('log in to the guest, or run a command in it')
    .argument('[command...]', "after --; run by the guest's shell")
    .option(...directoryOption)
    .option('--root', "as the guest's root instead of builder")
    .passThroughOptions()
    .action(async (command: string[], options: SshOptions) => {
      const layout = layoutFor(options, context);
      const { findProgram } = await import('../../system/process/find-program.ts');
      const { run } = await import('../../system/process/child.ts');
      const { Failed, Exit } = await import('../../system/failure.ts');
      const { readIfThere } = await import('../../system/files/files.ts');
      if (readIfThere(layout.sshConfig) === undefined)
        throw new Failed({
          kind: 'not-configured',
          message: `There is no ${layout.sshConfig}.`,
          hint: 'Run: linuxkit-builder configure.',
          exit: Exit.config,
        });
      const { findStatus } = await import('../../client/found.ts');
      const found = await findStatus(layout, context);
      // ssh itself would only say that a connection was refused or closed.
      if (found.daemon === 'gone')
        throw new Failed({
          kind: 'daemon-not-running',
          message: 'No daemon runs, so there is no guest to log in to.',
          hint: 'Start it: linuxkit-builder start.',
          exit: Exit.unavailable,
        });
      const { traitsOf } = await import('../../supervisor/lifecycle/phases.ts');
      const { phase, because } = found.status;
      if (traitsOf(phase).builds === 'never' && because !== undefined) throw new Failed(because);
      if (traitsOf(phase).builds === 'on-demand')
        context.err('The guest is away; this brings it back.');
      const user = options.root === true ? ['-l', 'root', '-i', layout.rootKey] : [];
      const argv = [
        '-F',
        layout.sshConfig,
        ...user,
        instance.sshAlias,
        ...(command.length > 0 ? ['--', ...command] : []),
      ];
      // By it ssh runs what leads to a door that is no port; the user's own may run nothing, as /bin/false.
      const env = { ...context.env, SHELL: '/bin/sh' };
      const { ended } = await run(findProgram('ssh', context.env['PATH']), argv, {
        terminal: true,
        env,
      });
      context.exit(ended.kind === 'exited' ? ended.code : Exit.unavailable);
    });
}
