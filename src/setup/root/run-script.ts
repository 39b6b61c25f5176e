/** A script run as root: by ourselves when we are root, else by one sudo command, shown before it is run; or given to an administrator. */
import { advice, ours, type Text } from '../../system/advice.ts';
import { run, succeeded, type CommandResult } from '../../system/process/child.ts';
import { rootProgram } from '../../system/process/become-root.ts';
import { Exit, Failed } from '../../system/failure.ts';
import { refusal } from '../../system/files/reasons.ts';
import type { CliContext } from '../../command/context.ts';

export interface ScriptRun {
  readonly isRoot: boolean;
  /** The program that asks for root: `sudo`. */
  readonly sudo: string;
  readonly signal: AbortSignal;
  /** A line beside the answer, said also when quiet: a password may be asked for. */
  readonly err: CliContext['err'];
  /** What is true where it fails, and what helps; `without`: where what asks for root is not here. */
  readonly refused: { readonly so: string; readonly hint: Text; readonly without?: Text };
}

type World = Pick<CliContext, 'signal' | 'err'>;

/** How a command has its scripts run. */
export const runsFor = (context: World): Omit<ScriptRun, 'refused'> => ({
  isRoot: process.getuid?.() === 0,
  sudo: rootProgram(),
  signal: context.signal,
  err: (line) => context.err(line),
});

interface ForRoot extends Pick<ScriptRun, 'refused'> {
  /** What it is about, as a subject: `Root's files were`. */
  readonly what: string;
}

/** Has it run; what it said. With `print` it is given to that instead, for an administrator. */
export async function handToRoot(
  script: string,
  { what, refused }: ForRoot,
  context: World,
  print?: (line: string) => void,
): Promise<readonly string[]> {
  if (print === undefined) return runScript(script, { ...runsFor(context), refused });
  printScript(script, what, context, print);
  return [];
}

/** Alone where it goes, so that it can be kept or piped. */
export function printScript(
  script: string,
  what: string,
  context: Pick<World, 'err'>,
  print: (line: string) => void,
): void {
  context.err(forAdministrator(what));
  for (const line of script.trimEnd().split('\n')) print(line);
}

export const forAdministrator = (what: string): string =>
  `${what} not changed (--no-root). An administrator runs this as root, with /bin/sh:`;

export const runsAsRoot = (sudo: string): string => `Running as root, with ${sudo} /bin/sh -c:`;

/** Runs a script as root, as an argument: nobody can change it in between. Shows it first where a password may be asked for. What it said. */
export async function runScript(script: string, options: ScriptRun): Promise<readonly string[]> {
  const { isRoot, sudo, signal, err } = options;
  const shell = ['/bin/sh', '-c', script];
  if (!isRoot) {
    err(runsAsRoot(sudo));
    for (const line of script.trimEnd().split('\n')) err(line === '' ? '' : `    ${line}`);
  }
  const [program = '', ...argv] = isRoot ? shell : [sudo, ...shell];
  const ran = await run(program, argv, { input: '', signal });
  if (!succeeded(ran)) throw new Failed(notRun(ran, options));
  linesOf(ran.stderr).forEach((line) => err(line));
  return linesOf(ran.stdout);
}

const linesOf = (text: string): string[] =>
  text
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '');

function notRun(
  { ended, stderr }: CommandResult,
  { isRoot, sudo, refused: { so, hint, without = hint } }: ScriptRun,
) {
  const isStarted = ended.kind !== 'not-started';
  const why = isStarted ? 'failed' : `could not be run (${refusal(ended.reason)})`;
  return {
    kind: 'root-part-failed',
    message: `${isRoot ? 'The script' : sudo} ${why}: ${so}`,
    hint: isStarted ? hint : without,
    exit: Exit.noPermission,
    lines: stderr.trim().split('\n').slice(-10),
  };
}

/** Where neither sudo nor doas is here. The script is an argument: su reads its password from the input. */
export function withoutSudo(command: 'configure' | 'unconfigure'): Text {
  const printing = ours(command, '--no-root');
  return advice`Run, as root, what this prints: ${printing}. With su: su root -c "$(${printing})"`;
}
