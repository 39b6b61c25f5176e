import { Option, type Command } from 'commander';
import type { Layout } from '../../config/layout.ts';
import { networkNames, vmNames } from '../../domain/vm-programs.ts';
import { standbyWords, statusOutOfDate, triedAgain } from './daemon-words.ts';
import { label } from '../../service/launchd/launch-agent.ts';
import { systemPathsOf } from '../../host/system-paths.ts';
import { keepPrivate } from '../../host/directory/private-directories.ts';
import { rootKeyReader } from '../../host/root/root-key.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { identify } from '../../system/process/process.ts';
import { loadAndWatch } from './background-tasks.ts';
import type { DryRunOptions } from './daemon-dry-run.ts';
import {
  directoryOption,
  layoutFor,
  unlessUsual,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';
import { advice, ours, plainly, type Text } from '../../system/advice.ts';

interface DaemonOptions extends DirectoryOption, DryRunOptions {
  readonly dryRun?: true;
  readonly managed?: true;
}

/** `daemon`: the supervisor in the foreground; what launchd, systemd and `start` run. */
export function daemonCommand(command: Command, context: CliContext): void {
  command
    .option(...directoryOption)
    .option('--managed', 'for launchd and systemd: keep running after errors that would end it')
    .option('--dry-run', 'show the commands that would be run, without running them')
    .addOption(
      new Option(
        '--vm <name>',
        'with --dry-run: use this VM program instead of the configured one',
      ).choices([...vmNames, 'auto']),
    )
    .addOption(
      new Option(
        '--network <name>',
        'with --dry-run: use this network instead of the configured one',
      ).choices(networkNames),
    )
    .option('--json', 'with --dry-run: print JSON')
    .action(async (options: DaemonOptions) => {
      const managed = isManaged(options, context.env);
      const use = options.dryRun === true ? 'look' : managed ? 'wait' : 'mend';
      const layout = layoutFor(options, context, use);
      if (options.dryRun === true) {
        const { showPlan } = await import('./daemon-dry-run.ts');
        return showPlan(layout, options, context);
      }
      if ([options.vm, options.network, options.json].some((given) => given !== undefined))
        throw new Failed(onlyDry);
      await runDaemon(layout, managed, context);
    });
}

/** Runs it to its end; its exit code becomes ours. */
async function runDaemon(layout: Layout, managed: boolean, context: CliContext): Promise<void> {
  // Whoever starts it, with whatever they have: its sockets are root in the guest, and code as its owner.
  process.umask(0o077);
  const { daemon } = await import('../../supervisor/daemon/daemon.ts');
  const systemPaths = systemPathsOf(context.env['LINUXKIT_BUILDER_TREE']);
  const onStatus = await statusTeller(layout, context);
  const over = new AbortController();
  void loadAndWatch(layout, context, over.signal);
  try {
    const code = await daemon({
      layout,
      clock: context.clock,
      release: context.version,
      directory: unlessUsual(layout, context),
      managed,
      rootsKey: rootKeyReader(systemPaths.roots),
      doorSocket: systemPaths.roots.doorSocket,
      closeDirectories: keepPrivate,
      onStopSignal: (listener) => context.onStopSignal(listener),
      signal: context.signal,
      onStatus,
      onBlocked: (failure) => context.err(triedAgain(failure)),
      onStandby: (pid) => context.err(standbyWords(pid)),
    });
    context.exit(code);
  } finally {
    over.abort();
  }
}

/** Says each status once in the output, and on the desktop that the daemon has given up. `trouble`: the status could not be written. */
async function statusTeller(layout: Layout, context: CliContext): Promise<TellStatus> {
  const { notifier } = await import('./notify.ts');
  const { readSettings } = await import('../../config/read-settings.ts');
  const isWanted = () => readSettings(layout).config?.notifications ?? true;
  const notify = notifier({ env: context.env, isWanted });
  let said: Text = '';
  let troubled = false;
  return ({ phase, sentence }, trouble) => {
    notify({ phase, sentence: plainly(sentence) });
    if (sentence !== said) context.err(sentence);
    said = sentence;
    if (trouble !== undefined && !troubled) context.err(statusOutOfDate(trouble));
    troubled = trouble !== undefined;
  };
}

type TellStatus = (
  status: { readonly phase: string; readonly sentence: Text },
  trouble: Failure | undefined,
) => void;

const onlyDry: Failure = {
  kind: 'bad-option',
  message: '--vm, --network and --json can only be used with --dry-run.',
  hint: advice`To choose what the daemon runs: ${ours('configure')}`,
  exit: Exit.usage,
};

/**
 * Whether a keeper (launchd, systemd) starts it, which would start a daemon again that fails. Its launcher and its unit say so. Those of
 * earlier releases do not, and their variables alone prove nothing: whoever opens a terminal under a keeper inherits them.
 */
const isManaged = ({ managed }: DaemonOptions, env: NodeJS.ProcessEnv): boolean =>
  managed === true ||
  env['XPC_SERVICE_NAME'] === label ||
  (env['INVOCATION_ID'] !== undefined && identify(process.ppid)?.program === 'systemd');
