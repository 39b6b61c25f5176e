import type { Command } from 'commander';
import { directoryOption, layoutFor, type CliContext, type DirectoryOption } from './context.ts';

/** `daemon`: the supervisor in the foreground; what launchd, systemd and `start` run. */
export function daemonVerb(program: Command, context: CliContext): void {
  program
    .command('daemon')
    .description('run the supervisor in the foreground')
    .option(...directoryOption)
    .action(async (options: DirectoryOption) => {
      const layout = layoutFor(options, context);
      const { daemon } = await import('../supervisor/daemon.ts');
      let said = '';
      const code = await daemon({
        layout,
        clock: context.clock,
        managed: isManaged(context.env),
        onStopSignal: (listener) => context.onStopSignal(listener),
        signal: context.signal,
        onStatus: ({ sentence }) => {
          if (sentence !== said) context.err(sentence);
          said = sentence;
        },
        onStandby: (pid) =>
          context.err(
            `Another daemon runs here${pid === undefined ? '' : `, with pid ${pid}`}; waiting for its end.`,
          ),
      });
      context.exit(code);
    });
}

/** Started by launchd (which sets XPC_SERVICE_NAME; "0" in a terminal) or by systemd: they restart what fails. */
export const isManaged = (env: NodeJS.ProcessEnv): boolean =>
  !['', '0', undefined].includes(env['XPC_SERVICE_NAME']) || env['INVOCATION_ID'] !== undefined;
