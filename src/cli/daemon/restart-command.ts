import type { Command } from 'commander';
import { buildsOption, nowOption, type EndOptions } from '../../client/builds-option.ts';
import { directoryOption, type CliContext, type DirectoryOption } from '../../command/context.ts';

export function restartCommand(command: Command, context: CliContext): void {
  command
    .option(...directoryOption)
    .option(...nowOption)
    .option(...buildsOption)
    .action(async (options: DirectoryOption & EndOptions) => {
      const { runRestart } = await import('./restart.ts');
      await runRestart(options, context);
    });
}
