/** The command line: verbs and their options. What a verb needs is loaded when it is called. */
import { Command, CommanderError } from 'commander';
import { Exit, failureOf } from '../system/failure.ts';
import { bootReportVerb } from './boot-report.ts';
import { completionVerb, manVerb } from './completion.ts';
import { configureVerb } from './configure.ts';
import type { CliContext } from './context.ts';
import { exampleHelp } from './examples.ts';
import { explainVerb } from './explain.ts';
import { consoleVerb, logsVerb } from './follow.ts';
import { daemonVerb } from './daemon.ts';
import { doctorVerb } from './doctor.ts';
import { imageVerbs } from './image.ts';
import { failureLines } from './say.ts';
import { restartVerb, startVerb, stopVerb, waitVerb } from './run.ts';
import { sshVerb } from './ssh.ts';
import { statusVerb } from './status.ts';
import { unconfigureVerb } from './unconfigure.ts';

/** Everything main knows; the exit code is kept here. */
export type World = Omit<CliContext, 'exit'>;

/** Runs one command line (without node and script); the exit code. Tells failures itself. */
export async function run(argv: readonly string[], world: World, version: string): Promise<number> {
  let code: number = Exit.ok;
  const context: CliContext = { ...world, exit: (next) => (code = next) };
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
  for (const add of [
    configureVerb,
    unconfigureVerb,
    imageVerbs,
    startVerb,
    stopVerb,
    restartVerb,
    waitVerb,
    statusVerb,
    doctorVerb,
    explainVerb,
    consoleVerb,
    logsVerb,
    sshVerb,
    bootReportVerb,
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
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (thrown) {
    return exitOf(thrown, world);
  }
  return code;
}

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
