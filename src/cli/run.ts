/** `start`, `stop`, `restart`, `wait`: the daemon's life from a terminal. */
import type { Command } from 'commander';
import { Exit, Failed } from '../system/failure.ts';
import { directoryOption, layoutFor, type CliContext, type DirectoryOption } from './context.ts';
import { failureLines } from './say.ts';

interface WaitOptions extends DirectoryOption {
  readonly timeout: string;
}

export function startVerb(program: Command, context: CliContext): void {
  program
    .command('start')
    .description('start the daemon in the background; it starts the VM')
    .option(...directoryOption)
    .action(async (options: DirectoryOption) => {
      const layout = layoutFor(options, context);
      const { startDaemon } = await import('../supervisor/background.ts');
      const started = await startDaemon(layout, context);
      context.out(
        started.already
          ? `The daemon runs already, with pid ${started.pid}.`
          : `Started the daemon, with pid ${started.pid}.`,
      );
    });
}

export function stopVerb(program: Command, context: CliContext): void {
  program
    .command('stop')
    .description('shut the guest down in order and end the daemon')
    .option(...directoryOption)
    .action(async (options: DirectoryOption) => {
      const layout = layoutFor(options, context);
      const { stopDaemon } = await import('../supervisor/background.ts');
      const stopped = await stopDaemon(layout, context);
      context.out(
        stopped === 'stopped'
          ? 'Stopped.'
          : stopped === 'leftover-ended'
            ? 'No daemon ran; a VM that was left behind was ended.'
            : 'No daemon runs.',
      );
    });
}

export function restartVerb(program: Command, context: CliContext): void {
  program
    .command('restart')
    .description('shut the guest down in order and start it again, with the current configuration')
    .option(...directoryOption)
    .action(async (options: DirectoryOption) => {
      const layout = layoutFor(options, context);
      const { readStatus } = await import('../supervisor/status.ts');
      if (readStatus(layout).daemon === 'alive') {
        const { ask } = await import('../supervisor/control.ts');
        await ask(layout, 'restart', context.clock, context.signal);
        return context.out('The daemon starts the guest again.');
      }
      const { startDaemon } = await import('../supervisor/background.ts');
      const { pid } = await startDaemon(layout, context);
      context.out(`No daemon ran; started one, with pid ${pid}.`);
    });
}

export function waitVerb(program: Command, context: CliContext): void {
  program
    .command('wait')
    .description('wait until Nix can build here')
    .option(...directoryOption)
    .option('-t, --timeout <seconds>', 'give up after so long', '300')
    .action(async (options: WaitOptions) => {
      const layout = layoutFor(options, context);
      const timeoutMs = Number(options.timeout) * 1000;
      if (!(timeoutMs > 0)) throw new Failed(badTimeout(options.timeout));
      const { waitUntilReady } = await import('../supervisor/background.ts');
      const failure = await waitUntilReady(layout, {
        ...context,
        timeoutMs,
        onSentence: (line) => context.err(line),
      });
      if (failure === undefined) return context.out('Ready.');
      for (const line of failureLines(failure)) context.err(line);
      context.exit(failure.exit);
    });
}

const badTimeout = (value: string) => ({
  kind: 'bad-option',
  message: `--timeout takes a number of seconds above 0, not ${JSON.stringify(value)}.`,
  hint: 'For example: --timeout 60.',
  exit: Exit.usage,
});
