/** `configure`, the command that linuxkit-nix called nix-linuxkit-configure: settings, keys, ssh, and Nix's list of builders. */
import { readFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { settingRows } from '../../config/settings.ts';
import { Exit, Failed } from '../../system/failure.ts';
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

export function configureVerb(program: Command, context: CliContext): void {
  const command = program
    .command('configure')
    .description(
      'choose what the builder is, and make ssh and Nix know it; run it again to change',
    );
  for (const [, { flags = [] }] of settingRows)
    for (const { flags: words, help } of flags) command.option(words, help);
  command
    .option(...directoryOption)
    .option('--reset <settings>', 'give these their defaults again, with commas between')
    .option('--take-over', 'go on from a state directory of linuxkit-nix, with its settings')
    .option('--dry-run', 'show every change as a diff, and make none')
    .option('--no-root', "leave root's files, and print the script that writes them")
    .option('--json', 'with --no-root: values for a sudoers rule, instead of the script')
    .option('-v, --verbose', 'name the files that need no change too')
    .option('-q, --quiet', 'say nothing but failures and warnings')
    .addOption(new Option('--accel <name>', 'short for --accelerator').hideHelp())
    .addOption(new Option('--root-part', 'as root, for another user: what stdin says').hideHelp())
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

/** Under sudo the daemon's owner would silently become root. */
function refuseSudo({ directory }: Options, { env }: CliContext): void {
  const user = env['SUDO_USER'];
  if (process.getuid?.() !== 0 || user === undefined || user === 'root') return;
  if (directory !== undefined) return;
  throw new Failed({
    kind: 'run-as-user',
    message: `configure has to be run by the user who will own the daemon, and sudo runs it as root.`,
    hint: `Run it as ${user}, without sudo: it asks for root itself. If root shall own the daemon, say where with -d.`,
    exit: Exit.usage,
  });
}

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
