import type { Command } from 'commander';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';

/** `debug DRV [-- COMMAND]`: a shell, or one command, in the sandbox of a build that failed. */
export function debugCommand(command: Command, context: CliContext): void {
  command
    .argument('<derivation>', 'the .drv file that Nix names when a build fails')
    .argument('[command...]', 'after --: a command to run there instead of a shell')
    .option(...directoryOption)
    .action(async (derivation: string, command: string[], options: DirectoryOption) => {
      const layout = layoutFor(options, context);
      const { debug } = await import('./debug.ts');
      context.exit(await debug(derivation, command, layout, context));
    });
}
