/** The command line: the program, and the one of its commands that is called. What that needs is loaded when it is called. */
import { resolve } from 'node:path';
import { Command, CommanderError } from 'commander';
import { textFor, type Text } from '../system/advice.ts';
import { Exit, failureOf, interruptedExit } from '../system/failure.ts';
import type { CliContext, DirectoryOption } from '../command/context.ts';
import type { Look } from '../command/terminal.ts';
import { failureLines } from '../command/say.ts';
import { addCommands, calledIn } from './lazy-commands.ts';

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
  const define = addCommands(program, context, (words) => run(words, world, version));
  program.hook('preAction', (_, command) => {
    const named = command.opts<DirectoryOption>();
    directory = named.directory === undefined ? undefined : resolve(named.directory);
  });
  try {
    await define(calledIn(argv, program));
    await program.parseAsync([...argv], { from: 'user' });
  } catch (thrown) {
    return exitOf(thrown, context);
  }
  return code;
}

/** Without commands yet. Those inherit its settings, so that they come first. */
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

type Teller = Pick<CliContext, 'signal' | 'err' | 'env'>;

async function exitOf(thrown: unknown, { signal, err, env }: Teller): Promise<number> {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? Exit.ok : Exit.usage;
  if (signal.aborted) {
    err('Interrupted.');
    return interruptedExit;
  }
  const failure = failureOf(thrown);
  const hint = failure.needsSetUp === true ? await adviceFor(env) : failure.hint;
  for (const line of failureLines({ ...failure, hint })) err(line);
  return failure.exit;
}

async function adviceFor(env: NodeJS.ProcessEnv): Promise<Text> {
  const { setUpAdvice } = await import('../host/for-everybody.ts');
  return setUpAdvice(env);
}
