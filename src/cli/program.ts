/** The command line: verbs and their options. What a verb needs is loaded when it is called. */
import { resolve } from 'node:path';
import { Command, CommanderError } from 'commander';
import { Exit, failureOf } from '../system/failure.ts';
import { bootReportVerb } from './inspect/boot-report-command.ts';
import { completionVerb, manVerb } from './shell/completion-command.ts';
import { configureVerb } from './setup/configure-command.ts';
import type { CliContext, DirectoryOption, Perform } from '../command/context.ts';
import { exampleHelp } from './shell/examples.ts';
import { explainVerb } from './explain/explain-command.ts';
import { consoleVerb, logsVerb } from './inspect/follow-commands.ts';
import { daemonVerb } from './daemon/daemon-command.ts';
import { debugVerb } from './guest/debug-command.ts';
import { diskVerbs } from './guest/disk-command.ts';
import { drainVerb, undrainVerb } from './guest/drain-commands.ts';
import { keysVerbs } from './setup/keys-command.ts';
import { gcVerb, trimVerb } from './guest/give-back-commands.ts';
import { prepareVerb } from './setup/prepare-command.ts';
import { listVerb } from './inspect/list-command.ts';
import { doctorVerb } from '../doctor/doctor-command.ts';
import { imageVerbs } from './image/image-command.ts';
import { failureLines, withDirectory } from '../command/say.ts';
import { unlessThere } from '../host/for-everybody.ts';
import { resumeVerb, suspendVerb } from './guest/suspend-commands.ts';
import { restartVerb } from './daemon/restart-command.ts';
import { startVerb, stopVerb, waitVerb } from './daemon/run-commands.ts';
import { sshVerb } from './guest/ssh-command.ts';
import { statusVerb } from './status/status-command.ts';
import { machinesVerb, sshConfigVerb } from './inspect/registered-commands.ts';
import { unconfigureVerb } from './setup/unconfigure-command.ts';
import { upVerb } from './up/up-command.ts';
import { upgradeVerb } from './image/upgrade-command.ts';
import { verdictsVerb } from './inspect/verdicts-command.ts';

/** Everything main knows; the exit code is kept here. */
type World = Omit<CliContext, 'exit' | 'version'>;

/** Runs one command line (without node and script); the exit code. Tells failures itself. */
export async function run(argv: readonly string[], world: World, version: string): Promise<number> {
  let code: number = Exit.ok;
  const { told, heed } = withPlace(world);
  const context: CliContext = { ...told, version, exit: (next) => (code = next) };
  const program = emptyProgram(world, version);
  const perform: Perform = (words) => run(words, world, version);
  for (const [heading, verbs] of Object.entries(groups)) {
    program.commandsGroup(heading);
    for (const add of verbs) add(program, context, perform);
  }
  program.commandsGroup('Use:').helpCommand(...helpOfCommand);
  addHelp(program);
  const verbs = verbsWithDirectory(program);
  program.hook('preAction', (_, verb) => heed(verb, verbs));
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (thrown) {
    return exitOf(thrown, told);
  }
  return code;
}

/** Without verbs yet. Those inherit its settings, so that they come first. */
const emptyProgram = (world: World, version: string): Command =>
  new Command('linuxkit-builder')
    .description('A Linux remote builder for Nix.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    // For passThroughOptions of `ssh`: what stands behind its command is that command's.
    .enablePositionalOptions()
    .showHelpAfterError('(run linuxkit-builder --help for a list of commands)')
    .configureOutput({
      writeOut: (text) => world.out(text.trimEnd()),
      writeErr: (text) => world.err(text.trimEnd()),
    })
    // It throws in place of process.exit: whoever leaves waits until what was said has been read.
    .exitOverride();

/** Of each verb, and of those below one: how it is called, and examples. */
function addHelp(program: Command): void {
  for (const command of program.commands)
    command
      .exitOverride()
      .copyInheritedSettings(program)
      .showHelpAfterError(`(run linuxkit-builder ${command.name()} --help for usage)`)
      .addHelpText('after', exampleHelp(program.name(), command.name()));
  for (const command of program.commands) {
    if (command.commands.length > 0) command.helpCommand(...helpOfCommand);
    for (const below of command.commands)
      below.addHelpText('after', exampleHelp(program.name(), `${command.name()} ${below.name()}`));
  }
}

/** The world as a verb sees it once `heed` has been told of it: with -d each command in what it says leads to the same place. */
function withPlace(world: World): {
  readonly told: World;
  /** `verbs`: those that take -d. */
  readonly heed: (verb: Command, verbs: readonly string[]) => void;
} {
  let mend = (line: string): string => line;
  let isVerbatim = false;
  return {
    told: {
      ...world,
      // A line of JSON is for programs.
      out: (line, look) => world.out(isVerbatim || line.startsWith('{') ? line : mend(line), look),
      err: (line, how) => world.err(how === 'as-is' ? line : mend(line)),
    },
    heed(verb, verbs) {
      const { directory, dryRun, root } = verb.opts<
        DirectoryOption & { dryRun?: boolean; root?: boolean }
      >();
      // With --no-root the output is a script: a line of it that is changed would write another file.
      isVerbatim = verbatim.has(verb.name()) || dryRun === true || root === false;
      if (directory === undefined) return;
      const where = { directory: resolve(directory), verbs };
      mend = (line) => withDirectory(line, where);
    },
  };
}

const helpOfCommand = ['help [command]', 'show the help of a command'] as const;

type AddVerb = (program: Command, context: CliContext, perform: Perform) => void;

/** In the order in which the help shows them. */
const groups: Readonly<Record<string, readonly AddVerb[]>> = {
  'Set up:': [
    upVerb,
    configureVerb,
    unconfigureVerb,
    prepareVerb,
    imageVerbs,
    upgradeVerb,
    keysVerbs,
  ],
  'Use:': [
    statusVerb,
    startVerb,
    stopVerb,
    restartVerb,
    suspendVerb,
    resumeVerb,
    waitVerb,
    sshVerb,
    debugVerb,
  ],
  'Builds and disk space:': [drainVerb, undrainVerb, gcVerb, trimVerb, diskVerbs],
  'Find out what is wrong:': [
    doctorVerb,
    explainVerb,
    logsVerb,
    consoleVerb,
    bootReportVerb,
    verdictsVerb,
  ],
  'For other programs:': [
    listVerb,
    machinesVerb,
    sshConfigVerb,
    completionVerb,
    manVerb,
    daemonVerb,
  ],
};

/** They show what others wrote. */
const verbatim: ReadonlySet<string> = new Set([
  'console',
  'logs',
  'daemon',
  'machines',
  'ssh-config',
]);

/** `start`, `image build`: those that take -d. */
const verbsWithDirectory = (command: Command, words: readonly string[] = []): string[] =>
  command.commands.flatMap((verb) => {
    const name = [...words, verb.name()];
    const takesIt = verb.options.some(({ long }) => long === '--directory');
    return [...(takesIt ? [name.join(' ')] : []), ...verbsWithDirectory(verb, name)];
  });

function exitOf(thrown: unknown, world: World): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? Exit.ok : Exit.usage;
  if (world.signal.aborted) {
    world.err('Interrupted.');
    return interruptedExit;
  }
  const failure = failureOf(thrown);
  const hint = unlessThere(failure.hint, world.env);
  for (const line of failureLines({ ...failure, hint })) world.err(line);
  return failure.exit;
}

/** 128 + SIGINT, as shells count. */
const interruptedExit = 130;
