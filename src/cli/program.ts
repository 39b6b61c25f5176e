/** The command line: verbs and their options. What a verb needs is loaded when it is called. */
import { resolve } from 'node:path';
import { Command, CommanderError } from 'commander';
import { Exit, failureOf } from '../system/failure.ts';
import { bootReportVerb } from './boot-report.ts';
import { completionVerb, manVerb } from './completion.ts';
import { configureVerb } from './configure.ts';
import type { CliContext, DirectoryOption, Perform } from './context.ts';
import { exampleHelp } from './examples.ts';
import { explainVerb } from './explain.ts';
import { consoleVerb, logsVerb } from './follow.ts';
import { daemonVerb } from './daemon.ts';
import { diskVerbs } from './disk.ts';
import { drainVerb, undrainVerb } from './drain.ts';
import { keysVerbs } from './keys.ts';
import { gcVerb, trimVerb } from './give-back.ts';
import { prepareVerb } from './prepare.ts';
import { listVerb } from './list.ts';
import { doctorVerb } from './doctor.ts';
import { imageVerbs } from './image.ts';
import { failureLines, withDirectory } from './say.ts';
import { resumeVerb, suspendVerb } from './rest.ts';
import { restartVerb, startVerb, stopVerb, waitVerb } from './run.ts';
import { sshVerb } from './ssh.ts';
import { statusVerb } from './status.ts';
import { machinesVerb, sshConfigVerb } from './told.ts';
import { unconfigureVerb } from './unconfigure.ts';
import { upVerb } from './up.ts';
import { upgradeVerb } from './upgrade.ts';
import { verdictsVerb } from './verdicts.ts';

/** Everything main knows; the exit code is kept here. */
export type World = Omit<CliContext, 'exit'>;

/** Runs one command line (without node and script); the exit code. Tells failures itself. */
export async function run(argv: readonly string[], world: World, version: string): Promise<number> {
  let code: number = Exit.ok;
  let mend = (line: string): string => line;
  let isVerbatim = false;
  const told: World = {
    ...world,
    out: (line, look) => world.out(isVerbatim || line.startsWith('{') ? line : mend(line), look),
    err: (line) => world.err(mend(line)),
  };
  const context: CliContext = { ...told, exit: (next) => (code = next) };
  const program = new Command('linuxkit-builder')
    .description('A Linux machine that Nix can build on.')
    .version(version)
    .enablePositionalOptions()
    .showHelpAfterError('(linuxkit-builder --help lists the verbs)')
    .configureOutput({
      writeOut: (text) => world.out(text.trimEnd()),
      writeErr: (text) => world.err(text.trimEnd()),
    })
    .exitOverride();
  const perform: Perform = (words) => run(words, world, version);
  upVerb(program, context, perform);
  upgradeVerb(program, context, perform);
  for (const add of [
    configureVerb,
    unconfigureVerb,
    prepareVerb,
    imageVerbs,
    diskVerbs,
    keysVerbs,
    startVerb,
    stopVerb,
    restartVerb,
    suspendVerb,
    resumeVerb,
    waitVerb,
    drainVerb,
    undrainVerb,
    gcVerb,
    trimVerb,
    statusVerb,
    listVerb,
    machinesVerb,
    sshConfigVerb,
    doctorVerb,
    explainVerb,
    consoleVerb,
    logsVerb,
    sshVerb,
    bootReportVerb,
    verdictsVerb,
    completionVerb,
    manVerb,
    daemonVerb,
  ])
    add(program, context);
  for (const command of program.commands)
    command
      .exitOverride()
      .copyInheritedSettings(program)
      .showHelpAfterError(`(see: linuxkit-builder ${command.name()} --help)`)
      .addHelpText('after', exampleHelp(program.name(), command.name()));
  for (const command of program.commands)
    for (const below of command.commands)
      below.addHelpText('after', exampleHelp(program.name(), `${command.name()} ${below.name()}`));
  const verbs = verbsWithDirectory(program);
  program.hook('preAction', (_, verb) => {
    const { directory, dryRun } = verb.opts<DirectoryOption & { dryRun?: boolean }>();
    isVerbatim = verbatim.has(verb.name()) || dryRun === true;
    if (directory === undefined) return;
    const where = { directory: resolve(directory), verbs };
    mend = (line) => withDirectory(line, where);
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (thrown) {
    return exitOf(thrown, told);
  }
  return code;
}

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
  for (const line of failureLines(failure)) world.err(line);
  return failure.exit;
}

/** 128 + SIGINT, as shells count. */
const interruptedExit = 130;
