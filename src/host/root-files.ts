/** Getting root's part done: by ourselves when we are root, else by one sudo command, said and explained before it is run. */
import { rmSync } from 'node:fs';
import { run, succeeded, type Ran } from '../system/child.ts';
import { Exit, Failed } from '../system/failure.ts';
import { writeWhole } from '../system/files.ts';
import { examine, type FileChange, type WantedFile } from './file-change.ts';
import { isRecorded, type Receipt } from './receipts.ts';
import {
  byHandOf,
  parseAnswer,
  performRootPart,
  rootFiles,
  type RootAnswer,
  type RootRequest,
} from './root-part.ts';

/** How root's files stand, as far as we can see. */
export interface RootNeeds {
  readonly changes: readonly FileChange[];
  /** Files we may not read, and of which no receipt says that they are right. */
  readonly hidden: readonly WantedFile[];
  readonly byHand: RootAnswer['byHand'];
}

/** What is to be done, found out without being root. */
export function rootNeeds(request: RootRequest, receipts: readonly Receipt[]): RootNeeds {
  const changes: FileChange[] = [];
  const hidden: WantedFile[] = [];
  const byHand: RootAnswer['byHand'] = [];
  for (const wanted of rootFiles(request)) {
    const examined = examine(wanted);
    if (examined.kind === 'change') changes.push(examined.change);
    if (examined.kind === 'in-store') byHand.push(byHandOf(wanted, examined));
    if (examined.kind === 'hidden' && !isRecorded(receipts, wanted)) hidden.push(wanted);
  }
  return { changes, hidden, byHand };
}

export interface RootOptions {
  readonly request: RootRequest;
  readonly needs: RootNeeds;
  readonly isRoot: boolean;
  /** `--no-root`: the request is kept in this file, and the command is only told. */
  readonly requestFile: string;
  readonly skip: boolean;
  /** Program and arguments that run our own `configure`. */
  readonly self: readonly string[];
  /** The program that asks for root: `sudo`. */
  readonly sudo: string;
  readonly now: number;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Does root's part, or says how it is done. Undefined when nothing of it was done. */
export async function settleRoot(options: RootOptions): Promise<RootAnswer | undefined> {
  const { request, needs, isRoot, skip, now, say } = options;
  // Nix's list, which all can read, is written last: where that is right, somebody has done the rest as well.
  const hidden = skip && needs.changes.length === 0 ? [] : needs.hidden;
  const paths = [...needs.changes.map(({ wanted }) => wanted), ...hidden];
  if (!skip || paths.length === 0) rmSync(options.requestFile, { force: true });
  if (paths.length === 0) return undefined;
  const asRoot = [options.sudo, ...options.self, '--root-part'];
  if (skip) {
    writeWhole(options.requestFile, JSON.stringify(request));
    say("Not done, as asked: root's part. When you want it, run:");
    say(`  ${asRoot.map(shellWord).join(' ')} < ${shellWord(options.requestFile)}`);
    return undefined;
  }
  if (isRoot) return performRootPart(request, now);
  say("nix-daemon runs as root, so these files have to be root's:");
  for (const { path, purpose } of paths) say(`  ${path}: ${purpose}`);
  say(`They are written by: ${asRoot.map(shellWord).join(' ')}`);
  const ran = await runAsRoot(asRoot, JSON.stringify(request), options.signal);
  if (!succeeded(ran)) throw new Failed(refused(ran, asRoot));
  return parseAnswer(ran.stdout);
}

/** Runs a command that begins with sudo. A question for a password goes to the terminal by itself. */
export async function runAsRoot(
  [sudo = '', ...argv]: readonly string[],
  input: string,
  signal: AbortSignal,
): Promise<Ran> {
  return run(sudo, argv, { input, signal });
}

/** A word as a person's shell takes it. */
export const shellWord = (word: string): string =>
  /^[\w./:=@-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

function refused({ ended, stderr }: Ran, command: readonly string[]) {
  const why =
    ended.kind === 'not-started' ? `could not be run (${ended.reason})` : 'did not succeed';
  return {
    kind: 'root-part-failed',
    message: `${command[0] ?? ''} ${why}: your own files are written, root's are not, so Nix does not know the builder yet.`,
    hint: 'Run configure again where you can become root; or with --no-root, which tells the command for somebody who can.',
    exit: Exit.noPermission,
    lines: stderr.trim().split('\n').slice(-10),
  };
}
