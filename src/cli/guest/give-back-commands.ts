/** `gc` and `trim`, as they are called. */
import type { Command } from 'commander';
import { buildsOption } from '../../client/builds-option.ts';
import { directoryOption, type CliContext, type DirectoryOption } from '../../command/context.ts';
import type { GcOptions } from './gc-trim.ts';

export function gcCommand(command: Command, context: CliContext): void {
  command
    .option(...directoryOption)
    .option(...buildsOption)
    .action(async (options: GcOptions) => {
      const { runGc } = await import('./gc-trim.ts');
      await runGc(options, context);
    });
}

export function trimCommand(command: Command, context: CliContext): void {
  command.option(...directoryOption).action(async (options: DirectoryOption) => {
    const { runTrim } = await import('./gc-trim.ts');
    await runTrim(options, context);
  });
}
