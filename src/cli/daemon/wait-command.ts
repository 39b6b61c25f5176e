import type { Command } from 'commander';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';
import { seconds } from '../../command/option-values.ts';
import { Failed } from '../../system/failure.ts';

interface WaitOptions extends DirectoryOption {
  readonly timeout: number;
}

/** `wait`: until the guest is ready, or cannot become so. */
export function waitCommand(command: Command, context: CliContext): void {
  command
    .option(...directoryOption)
    .option('-t, --timeout <seconds>', 'give up after this many seconds', seconds, 300)
    .action(async (options: WaitOptions) => {
      const { waitUntilItBuilds } = await import('../../client/until-ready.ts');
      const { tellUnregistered } = await import('./tell-unregistered.ts');
      const layout = layoutFor(options, context, 'look');
      const timeoutMs = options.timeout * 1000;
      const outcome = await waitUntilItBuilds(layout, {
        ...context,
        timeoutMs,
        onSentence: (line) => context.err(line),
      });
      if (typeof outcome !== 'string') throw new Failed(outcome);
      context.out(outcome === 'ready' ? 'Ready.' : 'Ready. The next build will start the guest.');
      tellUnregistered(layout, context);
    });
}
