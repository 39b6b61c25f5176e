/** Getting root's part done: by ourselves when we are root, else by one sudo command, shown before it is run. */
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { run, succeeded, type CommandResult } from '../../system/process/child.ts';
import { Exit, Failed, errorCode } from '../../system/failure.ts';
import { refusal } from '../../system/files/reasons.ts';
import { readInstalled } from '../../host/installed.ts';
import { rootPaths } from '../../host/system-paths.ts';
import { survey, type Survey } from '../survey.ts';
import { rootFiles, type RootRequest } from './root-plan.ts';
import { installScript } from './root-script.ts';
import { withoutSudo } from '../setup-words.ts';

/** A file, and what it is for. */
interface Named {
  readonly path: string;
  readonly purpose: string;
}

/** How root's files stand, as far as we can see. */
export interface RootNeeds extends Survey {
  readonly request: RootRequest;
  /** What root has to look at, or to make, itself. */
  readonly unseen: readonly Named[];
}

/** What is to be done, found out without being root. */
export function rootNeeds(request: RootRequest): RootNeeds {
  const found = survey(rootFiles(request));
  const made = [...rootKey(request), ...doorDirectory(request)];
  // What comes after it is right, so it was made.
  const isDone = found.changes.length === 0 && made.length === 0;
  return { ...found, request, unseen: isDone ? [] : [...made, ...found.hidden] };
}

function rootKey(request: RootRequest): Named[] {
  const { clientPublicKey: path } = rootPaths(request);
  return existsSync(path)
    ? []
    : [{ path, purpose: "the public half of root's own key for the guest" }];
}

/** Where it is not as the door has it. */
function doorDirectory(request: RootRequest): Named[] {
  const { door: path } = rootPaths(request);
  const stats = lstatSync(path, { throwIfNoEntry: false });
  const isTheirs = stats?.uid === request.owner.uid && (stats.mode & 0o777) === 0o700;
  if (request.door === 'tcp')
    return stats === undefined
      ? []
      : [{ path, purpose: 'no longer needed: the front door is a port' }];
  return isTheirs
    ? []
    : [{ path, purpose: "the front door's directory, which only you and root can enter" }];
}

/** All that would be written, or looked at. */
export const needed = ({ changes, unseen }: RootNeeds): readonly Named[] => [
  ...unseen,
  ...changes.map(({ wanted }) => wanted),
];

/** The script that does it. `renewsKey`: root's own key is made anew. */
export function rootScript(
  { request, byHand, declared }: RootNeeds,
  { renewsKey = false }: { readonly renewsKey?: boolean } = {},
): string {
  const { installed, machines } = rootPaths(request);
  const isLeft = [...byHand, ...declared].some(({ path }) => path === machines);
  const list = isLeft ? undefined : bytesIn(machines);
  return installScript(request, { known: readInstalled(installed), list, renewsKey });
}

/** As far as we may see it; what we may not is taken as it is. */
export function bytesIn(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return '';
  }
}

/** Before a script that is alone on the output, so that it can be kept or piped. `what`, as a subject: `Root's files were`. */
export const forAdministrator = (what: string): string =>
  `${what} not changed (--no-root). An administrator runs this as root, with /bin/sh:`;

export interface ScriptRun {
  readonly isRoot: boolean;
  /** The program that asks for root: `sudo`. */
  readonly sudo: string;
  readonly signal: AbortSignal;
  /** A line beside the answer, said also when quiet: a password may be asked for. */
  readonly err: (line: string) => void;
  /** What is true where it fails, and what helps; `without`: where what asks for root is not here. */
  readonly refused: { readonly so: string; readonly hint: string; readonly without?: string };
}

/** Runs a script as root, as an argument: nobody can change it in between. Shows it first where a password may be asked for. What it said. */
export async function runScript(script: string, options: ScriptRun): Promise<readonly string[]> {
  const { isRoot, sudo, signal, err } = options;
  const shell = ['/bin/sh', '-c', script];
  if (!isRoot) {
    err(`Running as root, with ${sudo} /bin/sh -c:`);
    for (const line of script.trimEnd().split('\n')) err(`    ${line}`.trimEnd());
  }
  const [program = '', ...argv] = isRoot ? shell : [sudo, ...shell];
  const ran = await run(program, argv, { input: '', signal });
  if (!succeeded(ran)) throw new Failed(refused(ran, options));
  linesOf(ran.stderr).forEach(err);
  return linesOf(ran.stdout);
}

const linesOf = (text: string): string[] =>
  text
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '');

function refused(
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

export interface RootOptions extends Omit<ScriptRun, 'refused'> {
  readonly needs: RootNeeds;
  /** Root's own key is made anew. */
  readonly renewsKey?: boolean;
}

/** Does root's part; what it said of it. */
export async function settleRoot(options: RootOptions): Promise<readonly string[]> {
  const { needs, isRoot, err } = options;
  const files = needed(needs);
  if (files.length === 0) return [];
  if (!isRoot) {
    err('nix-daemon runs as root, so these files must belong to root:');
    for (const { path, purpose } of files) err(`  ${path}: ${purpose}`);
  }
  const refused = {
    so: 'your own files are written, but the builder is not registered with Nix as configured.',
    hint: 'Run configure again as a user who can use sudo, or have an administrator run, as root, what this prints: linuxkit-builder configure --no-root',
    without: withoutSudo('configure'),
  };
  return runScript(rootScript(needs, options), { ...options, refused });
}
