/** `configure`, the command that linuxkit-nix called nix-linuxkit-configure: settings, keys, ssh, and Nix's list of builders. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { Exit, Failed } from '../system/failure.ts';
import { settingNamed, type ConfigureFlags } from './configure-flags.ts';
import { directoryMeant, directoryOption, type CliContext } from './context.ts';

interface Options {
  readonly features?: string;
  readonly mandatoryFeatures?: string;
  readonly extraSystems?: string;
  readonly speedFactor?: string;
  readonly protocol?: string;
  readonly disk?: string;
  readonly cpus?: string;
  readonly memory?: string;
  readonly directory?: string;
  readonly door?: string;
  readonly port?: string;
  readonly maxJobs?: string;
  readonly vm?: string;
  /** True where it stands without a name. */
  readonly system?: string | true;
  readonly network?: string;
  readonly accelerator?: string;
  readonly accel?: string;
  readonly bundle?: string;
  /** Undefined when neither flag is given. */
  readonly keepAwake?: boolean;
  readonly autostart?: boolean | string;
  readonly idle?: string;
  readonly idleAfter?: string;
  readonly start?: string;
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
  program
    .command('configure')
    .description('choose what the builder is, and make ssh and Nix know it; run it again to change')
    .option('-f, --features <list>', 'system features it offers, with commas between')
    .option('-s, --disk <GiB>', 'size of its disk; never made smaller')
    .option('-c, --cpus <count>', 'CPUs')
    .option('-m, --memory <MiB>', 'memory')
    .option(...directoryOption)
    .option('--door <how>', 'tcp, or unix: a socket that no other user can reach')
    .option('--port <number>', 'where it is reached on 127.0.0.1')
    .option('--max-jobs <count>', 'builds at a time')
    .option('--mandatory-features <list>', 'only what requires all of these is built here')
    .option('--speed-factor <number>', 'how much faster than other builders Nix may think it')
    .option('--protocol <name>', 'how Nix talks to it: ssh-ng or ssh')
    .option('--vm <name>', 'the program that runs the guest: auto, qemu, hyperkit or vfkit')
    .option(
      '--system [name]',
      'x86_64-linux or aarch64-linux; the foreign one is emulated (without a name: --autostart boot)',
    )
    .option('--extra-systems <list>', 'what else the guest runs, and is to build: i686-linux')
    .option('--network <name>', 'what gives it its network: user, vpnkit or gvproxy')
    .option('--accelerator <name>', 'auto, kvm, hvf or tcg')
    .option('--bundle <prefix>', 'kernel, initrd and cmdline of another guest')
    .option('--keep-awake', 'while it is used, keep this Mac awake on AC power (default on macOS)')
    .option('--no-keep-awake', 'let it fall asleep')
    .option(
      '--autostart [when]',
      'start the daemon by launchd or systemd: at login (default on macOS), or at boot',
    )
    .option('--no-autostart', 'leave starting it to you')
    .option('--idle <how>', 'when nobody uses the guest: auto, stop or never (leave it running)')
    .option('--idle-after <time>', 'how long nobody has used it then, such as 10 min')
    .option('--start <when>', 'start the guest at login, or on demand: with the first build')
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
        const { performRootPart } = await import('./root-part.ts');
        return performRootPart(readFileSync(0, 'utf8'), context);
      }
      refuseSudo(options, context);
      const { runConfigure } = await import('./configure-run.ts');
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
  const { features, vm, network, accelerator = options.accel, bundle } = options;
  const { system, autostart = system === true ? 'boot' : undefined } = options;
  return {
    root: directoryMeant(options, context),
    asked: {
      features: listed(features),
      mandatoryFeatures: listed(options.mandatoryFeatures),
      extraSystems: listed(options.extraSystems),
      speedFactor: number(options.speedFactor),
      protocol: options.protocol,
      diskGiB: number(options.disk),
      cpus: number(options.cpus),
      memoryMiB: number(options.memory),
      door: options.door,
      port: number(options.port),
      maxJobs: number(options.maxJobs),
      vm,
      system: system === true ? undefined : system,
      network,
      accelerator,
      bundle: bundle === undefined ? undefined : resolve(bundle),
      keepAwake: options.keepAwake,
      autostart,
      idle: given({ how: options.idle, after: options.idleAfter }),
      start: options.start,
    },
    reset: words(options.reset ?? '').map(settingNamed),
    takeOver: options.takeOver === true,
    dryRun: options.dryRun === true,
    verbose: options.verbose === true,
    quiet: options.quiet === true,
    skipRoot: !options.root,
    json: options.json === true,
  };
}

/** Those of its fields that are given; undefined where none is. */
function given(fields: Readonly<Record<string, string | undefined>>) {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

const words = (list: string): string[] =>
  list.split(',').flatMap((word) => (word.trim() === '' ? [] : [word.trim()]));

const listed = (list: string | undefined): string[] | undefined =>
  list === undefined ? undefined : words(list);

/** What is not a number stays text: the check of the settings then names it with everything else. */
const number = (text: string | undefined): number | string | undefined =>
  text !== undefined && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
