/** `suspend` and `resume`, as they are called. */
import type { Command } from 'commander';
import { buildsOption, nowOption } from '../../client/builds-option.ts';
import { directoryOption, type CliContext, type DirectoryOption } from '../../command/context.ts';
import type { SuspendOptions } from './suspend.ts';

export function suspendCommand(command: Command, context: CliContext): void {
  command
    .option(...directoryOption)
    .option(...nowOption)
    .option(...buildsOption)
    .option('--force', 'even if the guest is in use: running builds will fail')
    .action(async (options: SuspendOptions) => {
      const { runSuspend } = await import('./suspend.ts');
      await runSuspend(options, context);
    });
}

export function resumeCommand(command: Command, context: CliContext): void {
  command.option(...directoryOption).action(async (options: DirectoryOption) => {
    const { runResume } = await import('./suspend.ts');
    await runResume(options, context);
  });
}
