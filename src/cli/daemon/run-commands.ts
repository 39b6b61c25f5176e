/** `start` and `stop`, as they are called. */
import type { Command } from 'commander';
import { buildsOption, nowOption, type EndOptions } from '../../client/builds-option.ts';
import { directoryOption, type CliContext, type DirectoryOption } from '../../command/context.ts';

export function startCommand(command: Command, context: CliContext): void {
  command.option(...directoryOption).action(async (options: DirectoryOption) => {
    const { runStart } = await import('./start-stop.ts');
    await runStart(options, context);
  });
}

export function stopCommand(command: Command, context: CliContext): void {
  command
    .option(...directoryOption)
    .option(...nowOption)
    .option(...buildsOption)
    .action(async (options: DirectoryOption & EndOptions) => {
      const { runStop } = await import('./start-stop.ts');
      await runStop(options, context);
    });
}
