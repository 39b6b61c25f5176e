import type { Command } from 'commander';
import { Exit } from '../../system/failure.ts';
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
export function sshCommand(command: Command, context: CliContext): void {
  command
    .argument('[command...]', "after --: a command for the guest's shell")
    .option(...directoryOption)
    .option('--root', 'log in as root instead of builder')
    .passThroughOptions()
    .action(async (command: string[], options: SshOptions) => {
      const layout = layoutFor(options, context);
      const { run } = await import('../../system/process/child.ts');
      const { intoGuest } = await import('./into-guest.ts');
      const { ssh, argv, env } = await intoGuest(layout, context);
      const words = command.length > 0 ? ['--', ...command] : [];
      const user = options.root === true ? 'root' : 'builder';
      const { ended } = await run(ssh, [...argv(user), ...words], { terminal: true, env });
      context.exit(ended.kind === 'exited' ? ended.code : Exit.unavailable);
    });
}
