/** The command line: verbs and their options. What a verb needs is loaded when it is called. */
import { resolve } from 'node:path';
import { Command, CommanderError } from 'commander';
import { textFor } from '../system/advice.ts';
import { Exit, failureOf } from '../system/failure.ts';
import { bootReportVerb } from './inspect/boot-report-command.ts';
import { completionVerb, manVerb } from './shell/completion-command.ts';
import { configureVerb } from './setup/configure-command.ts';
import type { CliContext, DirectoryOption, Perform } from '../command/context.ts';
import type { Look } from '../command/terminal.ts';
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
import { failureLines } from '../command/say.ts';
import { setUpAdvice } from '../host/for-everybody.ts';
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
interface World extends Omit<CliContext, 'exit' | 'version' | 'directory' | 'out' | 'err'> {
  out(line: string, look?: Look): void;
  err(line: string): void;
}

/** Runs one command line (without node and script); the exit code. Tells failures itself. */
export async function run(argv: readonly string[], world: World, version: string): Promise<number> {
  let code: number = Exit.ok;
  let directory: string | undefined;
  const context: CliContext = {
    ...world,
    version,
    out: (line, look) => world.out(textFor(line, directory), look),
    err: (line) => world.err(textFor(line, directory)),
    get directory() {
      return directory;
    },
    exit: (next) => (code = next),
  };
  const program = emptyProgram(world, version);
  const perform: Perform = (words) => run(words, world, version);
  for (const [heading, verbs] of Object.entries(groups)) {
    program.commandsGroup(heading);
    for (const add of verbs) add(program, context, perform);
  }
  program.commandsGroup('Use:').helpCommand(...helpOfCommand);
  addHelp(program);
  program.hook('preAction', (_, verb) => {
    const named = verb.opts<DirectoryOption>();
    directory = named.directory === undefined ? undefined : resolve(named.directory);
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (thrown) {
    return exitOf(thrown, context);
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

type Teller = Pick<CliContext, 'signal' | 'err' | 'env'>;

function exitOf(thrown: unknown, { signal, err, env }: Teller): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? Exit.ok : Exit.usage;
  if (signal.aborted) {
    err('Interrupted.');
    return interruptedExit;
  }
  const failure = failureOf(thrown);
  const hint = failure.needsSetUp === true ? setUpAdvice(env) : failure.hint;
  for (const line of failureLines({ ...failure, hint })) err(line);
  return failure.exit;
}

/** 128 + SIGINT, as shells count. */
const interruptedExit = 130;
