/** Undoing root's part: by ourselves when we are root, else by one sudo command, said before it is run. */
import { rmSync } from 'node:fs';
import * as v from 'valibot';
import { succeeded, type Ran } from '../system/child.ts';
import { Exit, Failed } from '../system/failure.ts';
import { readInstalled, type Owner } from './installed.ts';
import { rootLayout } from './places.ts';
import { runAsRoot, shellWord } from './root-files.ts';
import { applyUndo, undoingsOf, undoWords, type Undoing } from './undo.ts';

const absolute = v.pipe(v.string(), v.regex(/^\/[^\n]*$/));

/** Whose installation is to be removed, and where root's files are. What was done is known to root itself. */
const removalSchema = v.strictObject({ rootHome: absolute, etcNix: absolute, directory: absolute });
export type RootRemoval = Readonly<v.InferOutput<typeof removalSchema>>;

/** What there is for root to undo; `other` when the builder of this machine is not that of our state directory. */
export type RemovalNeeds =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'other'; readonly owner: Owner }
  | { readonly kind: 'undo'; readonly undoings: readonly Undoing[] };

/** As far as we can see. */
export function removalNeeds(removal: RootRemoval): RemovalNeeds {
  const { installed: path } = rootLayout(removal);
  const installed = readInstalled(path);
  if (installed === undefined) return { kind: 'nothing' };
  if (installed.owner.directory !== removal.directory)
    return { kind: 'other', owner: installed.owner };
  // Nobody but root put these there, and nothing else does root undo.
  const known: readonly string[] = Object.values(rootLayout(removal));
  const isOurs = (at: string) => known.some((file) => file === at || file.startsWith(`${at}/`));
  const receipts = installed.receipts.filter((receipt) => isOurs(receipt.path));
  return { kind: 'undo', undoings: undoingsOf(receipts, { alsoGone: [path] }) };
}

/** Undoes all of it; what was done, in words. Run as root. Done again after an interruption it goes on. */
export function performRemoval(removal: RootRemoval): string[] {
  const needs = removalNeeds(removal);
  if (needs.kind !== 'undo') return [];
  const isDirectory = ({ receipt }: Undoing) => receipt.put === 'directory';
  for (const undoing of needs.undoings.filter((each) => !isDirectory(each))) applyUndo(undoing);
  rmSync(rootLayout(removal).installed, { force: true });
  for (const undoing of needs.undoings.filter(isDirectory)) applyUndo(undoing);
  return needs.undoings.flatMap((undoing) => undoWords(undoing, 'done'));
}

export interface RemovalOptions {
  readonly removal: RootRemoval;
  readonly isRoot: boolean;
  /** `--no-root`: the command is only told. */
  readonly skip: boolean;
  /** Program and arguments that run our own `unconfigure`. */
  readonly self: readonly string[];
  readonly sudo: string;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Gets root's part undone, or says how it is; in words what was done. Fails when root was refused. */
export async function settleRemoval(options: RemovalOptions): Promise<readonly string[]> {
  const { removal, isRoot, skip, say } = options;
  if (removalNeeds(removal).kind !== 'undo') return [];
  if (isRoot && !skip) return performRemoval(removal);
  const asRoot = [options.sudo, ...options.self, '--root-part', JSON.stringify(removal)];
  const command = asRoot.map(shellWord).join(' ');
  if (skip) {
    say("Not done, as asked: root's part. When you want it, run:");
    say(`  ${command}`);
    return [];
  }
  say(`What root was told is taken back by: ${command}`);
  const ran = await runAsRoot(asRoot, '', options.signal);
  if (!succeeded(ran)) throw new Failed(refused(ran, command));
  return ran.stdout.split('\n').filter((line) => line !== '');
}

/** What stands on the command line, if it is whole. */
export function parseRemoval(text: string): RootRemoval {
  try {
    return v.parse(removalSchema, JSON.parse(text));
  } catch (error) {
    const failure = {
      kind: 'root-part-garbled',
      message: `This is not what unconfigure asks of root: ${(error as Error).message}.`,
      hint: 'Run linuxkit-builder unconfigure, which asks for root itself.',
      exit: Exit.dataError,
    };
    throw new Failed(failure, { cause: error });
  }
}

function refused({ ended, stderr }: Ran, command: string) {
  const why =
    ended.kind === 'not-started' ? `could not be run (${ended.reason})` : 'did not succeed';
  return {
    kind: 'root-part-failed',
    message: `sudo ${why}: Nix still knows the builder, and nothing of yours was undone.`,
    hint: `Run unconfigure again where you can become root; or with --no-root, and let somebody who can run: ${command}`,
    exit: Exit.noPermission,
    lines: stderr.trim().split('\n').slice(-10),
  };
}
