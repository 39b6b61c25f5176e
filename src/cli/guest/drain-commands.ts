/** `drain` and `undrain`: whether Nix may take this builder for new builds. */
import type { Command } from 'commander';
import { Exit } from '../../system/failure.ts';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';
import { describeBusy, buildsOption, buildsUnknown } from '../../client/builds-option.ts';
import { ask } from '../../supervisor/daemon/ask-daemon.ts';
import type { Busy } from '../../supervisor/daemon/control-protocol.ts';

interface DrainOptions extends DirectoryOption {
  readonly wait?: boolean;
  readonly timeout: number;
}

/** `drain`: new connections are refused, so that Nix takes another builder; those that are through go on. */
export function drainCommand(command: Command, context: CliContext): void {
  command
    .option(...directoryOption)
    .option('-w, --wait', 'wait until all builds and connections have ended')
    .option(...buildsOption)
    .action(async (options: DrainOptions) => {
      const layout = layoutFor(options, context, 'ask');
      const { clock, signal } = context;
      const { open = 0, loggedIn = open } = await ask(layout, 'refuse', clock, signal);
      context.out('New connections are refused; Nix will use other builders.');
      if (options.wait !== true) {
        const busy = describeBusy({ loggedIn, builds: undefined });
        return context.out(
          loggedIn === 0 ? 'All builds and connections have ended.' : `${busy}; they continue.`,
        );
      }
      const { drain } = await import('../../client/drain.ts');
      const waiting = {
        clock,
        signal,
        how: 'refuse',
        limitMs: options.timeout * 1000,
        onBusy: (now: Busy) =>
          context.err(`${describeBusy(now)}; waiting up to ${options.timeout} s.`),
        onSilent: () => context.err(`${buildsUnknown}; waiting.`),
      } as const;
      const end = await drain(layout, waiting, (end) => end);
      if (end === 'drained') return context.out('All builds and connections have ended.');
      context.err('Timed out. New connections are still refused.');
      context.exit(Exit.temporary);
    });
}

/** `undrain`: new connections are let in again. */
export function undrainCommand(command: Command, context: CliContext): void {
  command.option(...directoryOption).action(async (options: DirectoryOption) => {
    const layout = layoutFor(options, context, 'ask');
    await ask(layout, 'admit', context.clock, context.signal);
    context.out('New connections are accepted again.');
  });
}
