/** `configure`, the command that linuxkit-nix called nix-linuxkit-configure: settings, keys, ssh, and Nix's list of builders. */
import { readFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { settingRows } from '../../config/settings.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import {
  askedIn,
  settingNamed,
  words,
  type ConfigureFlags,
} from '../../setup/configure/request.ts';
import { directoryMeant, directoryOption, type CliContext } from '../../command/context.ts';

/** What is no setting: those are read by their rows. */
interface Options {
  readonly directory?: string;
  /** True where it stands without a name. */
  readonly system?: string | true;
  readonly autostart?: boolean | string;
  readonly accelerator?: string;
  readonly accel?: string;
  readonly reset?: string;
  readonly takeOver?: boolean;
  readonly dryRun?: boolean;
  readonly verbose?: boolean;
  readonly quiet?: boolean;
  /** False with --no-root. */
  readonly root: boolean;
  readonly json?: boolean;
  readonly rootPart?: boolean;
}

/** `configure`: its options are made from the settings' rows. */
export function configureCommand(command: Command, context: CliContext): void {
  for (const [, { flags = [] }] of settingRows)
    for (const { flags: words, help } of flags) command.option(words, help);
  command
    .option(...directoryOption)
    .option('--reset <settings>', 'go back to the defaults of these settings, separated by commas')
    .option('--take-over', 'take over a state directory of linuxkit-nix, with its settings')
    .option('--dry-run', 'show every change as a diff, without making it')
    .option('--no-root', "do not change root's files; print the script that does it")
    .option('--json', 'with --no-root: print values for a sudoers rule instead of the script')
    .option('-v, --verbose', 'also list the files that need no change')
    .option('-q, --quiet', 'print only warnings and errors')
    .addOption(new Option('--accel <name>').hideHelp())
    .addOption(new Option('--root-part').hideHelp())
    .action(async (options: Options) => {
      if (options.rootPart === true) {
        const { performRootPart } = await import('../../setup/root/as-root.ts');
        return performRootPart(readFileSync(0, 'utf8'), context);
      }
      refuseSudo(options, context);
      const { runConfigure } = await import('../../setup/configure/configure.ts');
      await runConfigure(flagsOf(options, context), context);
    });
}

/** Under sudo or doas the daemon's owner would silently become root. */
function refuseSudo({ directory }: Options, { env }: CliContext): void {
  const user = env['SUDO_USER'] ?? env['DOAS_USER'];
  if (process.getuid?.() !== 0 || user === undefined || user === 'root') return;
  if (directory !== undefined) return;
  throw new Failed(underSudo(user, env['SUDO_USER'] === undefined ? 'doas' : 'sudo'));
}

/** The daemon's owner would become root without a word. `user`: who called it. */
export const underSudo = (user: string, by: 'sudo' | 'doas'): Failure => ({
  kind: 'run-as-user',
  message: `configure must be run by the user who will own the daemon, but ${by} runs it as root.`,
  hint: `Run it as ${user}, without ${by}; it asks for root's rights itself. If root is to own the daemon, name a state directory with -d.`,
  exit: Exit.usage,
});

function flagsOf(options: Options, context: CliContext): ConfigureFlags {
  const { system, accel, autostart, accelerator = accel, ...rest } = options;
  const when = autostart ?? (system === true ? 'boot' : undefined);
  return {
    root: directoryMeant(options, context),
    asked: askedIn({ ...rest, system, accelerator, autostart: when }),
    reset: words(options.reset ?? '').map(settingNamed),
    takeOver: options.takeOver === true,
    dryRun: options.dryRun === true,
    verbose: options.verbose === true,
    quiet: options.quiet === true,
    skipRoot: !options.root,
    json: options.json === true,
  };
}
