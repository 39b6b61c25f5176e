/** Files as they should be, compared with files as they are: what would change, as data; and the change made. */
import { chmodSync, existsSync, readFileSync, rmSync, statSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import type { Text } from '../system/advice.ts';
import { sha256 } from '../system/digest.ts';
import { Exit, Failed, errorCode, type Failure } from '../system/failure.ts';
import { finalTarget, linkOf } from '../system/files/final-target.ts';
import { makeDirectory, writeWhole } from '../system/files/files.ts';
import { cannotWrite } from '../system/files/cannot-write.ts';
import { statsIfThere } from '../system/stats.ts';

/** A file as it should be. */
export interface WantedFile {
  readonly path: string;
  /** What it is for, said to the person whose machine it is. */
  readonly purpose: string;
  readonly content: Content;
  /** Of a file that is ours whole; otherwise only of one that we create. */
  readonly mode: number;
  /** Of its directory, when we create that. */
  readonly directoryMode: number;
  /** What to do by hand where the file belongs to a configuration in the Nix store. */
  readonly byHand: Text;
  /** The same where the file is a link that leads elsewhere; absent where it is the same. */
  readonly byHandOfLink?: Text;
  /** The configuration that makes files of this kind here, also where there is none yet. */
  readonly keeper?: string;
  /** A link there is somebody's arrangement, and what it leads to is not for us to write. */
  readonly leavesLinks?: boolean;
}

type Content =
  /** Nobody else writes it. A secret is never shown. */
  | {
      readonly kind: 'whole';
      readonly text: string;
      readonly secret: boolean;
      /** Where others write files of that name too: whether what is there is theirs, to be put back at a removal. */
      readonly isTheirs?: (now: Buffer) => boolean;
    }
  /** Others' file with a block of ours. */
  | {
      readonly kind: 'block';
      readonly lines: readonly string[];
      readonly edit: (now: Uint8Array) => Buffer;
      /** Lines of others that ours take the place of. */
      readonly replaces: (now: Uint8Array) => readonly ReplacedLine[];
      /** True when somebody else's words for it are there already. */
      readonly isThere: (now: Uint8Array) => boolean;
    };

/** A line that was there, with its number (from 0) and its line break; a character a byte. */
export interface ReplacedLine {
  readonly line: number;
  readonly text: string;
}

/** Mode bits and owner of a file before we touched it. */
export interface Standing {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** A file before and after, whole: what is shown, applied and undone. */
export interface FileChange {
  readonly wanted: WantedFile;
  readonly before: { readonly bytes: Buffer; readonly standing: Standing } | undefined;
  readonly after: Buffer;
  readonly mode: number;
}

/** How a file stands to what it should be. */
export type Examined =
  | { readonly kind: 'right'; readonly standing: Standing }
  | { readonly kind: 'change'; readonly change: FileChange }
  /** We may not read it. */
  | { readonly kind: 'hidden' }
  /** It is part of a configuration in the Nix store, which would undo or refuse our change. */
  | { readonly kind: 'in-store'; readonly target: string }
  /** It leads elsewhere, and is left alone for that. */
  | { readonly kind: 'link'; readonly target: string }
  /** The same, and it says already what we would. */
  | { readonly kind: 'declared' };

/** What we put there, told apart by content: the whole text, or the block's lines. */
export function digestOf({ content }: WantedFile): string {
  const text = content.kind === 'whole' ? content.text : content.lines.join('\n');
  return sha256(text);
}

/** Reads a file and says what would have to change. Changes nothing. */
export function examine(wanted: WantedFile): Examined {
  const target = finalTarget(wanted.path);
  const owner = isOfStore(target) ? target : wanted.keeper;
  if (owner !== undefined)
    return isDeclared(wanted) ? { kind: 'declared' } : { kind: 'in-store', target: owner };
  if (wanted.leavesLinks === true ? linkOf(wanted.path) !== undefined : leadsNowhere(wanted))
    return isDeclared(wanted) ? { kind: 'declared' } : { kind: 'link', target };
  const before = readBefore(wanted.path);
  if (before === 'hidden') return { kind: 'hidden' };
  const change = changeOf(wanted, before);
  return before === undefined || differs(change, before)
    ? { kind: 'change', change }
    : { kind: 'right', standing: before.standing };
}

/** A link whose file could not even be made: what it leads into is not mounted, say. In the place of a file that is ours whole it is replaced. */
const leadsNowhere = ({ path, content }: WantedFile): boolean =>
  content.kind === 'block' &&
  linkOf(path) !== undefined &&
  !existsSync(path) &&
  !existsSync(dirname(finalTarget(path)));

/** NixOS and nix-darwin link by way of /etc/static, which another system may have taken away. */
const isOfStore = (target: string): boolean => /^\/(nix\/store|etc\/static)\//.test(target);

/** What is there now; undefined where nothing is, `hidden` where we may not read it. */
function readBefore(path: string): FileChange['before'] | 'hidden' {
  try {
    const stats = statSync(path);
    if (!stats.isFile()) throw new Failed(notOrdinary(path));
    return { bytes: readFileSync(path), standing: standingOf(stats) };
  } catch (error) {
    if (errorCode(error) === 'EACCES') return 'hidden';
    if (errorCode(error) === 'ENOENT') return undefined;
    // What is a part of its path is no directory, say, or a link that leads to itself.
    throw asFailed(path, error);
  }
}

const notOrdinary = (path: string): Failure => ({
  kind: 'not-a-file',
  message: `${path} is not a regular file. It was left alone.`,
  hint: 'Move it away, then try again.',
  exit: Exit.cannotCreate,
});

const asFailed = (path: string, error: unknown): Error =>
  error instanceof Failed ? error : new Failed(cannotWrite(path, error), { cause: error });

/** True when a change takes away a file of somebody else's, which a removal puts back. */
export const replacesTheirs = ({ wanted: { content }, before }: FileChange): boolean =>
  content.kind === 'whole' && before !== undefined && content.isTheirs?.(before.bytes) === true;

/** The directories that have to be made for a file, outermost first. */
export function missingDirectories(path: string): string[] {
  const directory = dirname(path);
  return existsSync(directory) ? [] : [...missingDirectories(directory), directory];
}

/** Makes them, each with that mode whatever the umask. */
function makeDirectories(file: string, mode: number): void {
  for (const directory of missingDirectories(file)) {
    makeDirectory(directory, mode);
    chmodSync(directory, mode);
  }
}

/** Makes the change: the directories that are missing, then the file, whole. */
export function applyChange({ wanted, before, after, mode }: FileChange): void {
  makeDirectories(wanted.path, wanted.directoryMode);
  // A new file would take over the owner of the old one; what is ours must be ours.
  if (wanted.content.kind === 'whole' && before !== undefined && isForeign(before.standing))
    rmSync(wanted.path);
  // A link of somebody's stays, also where nothing is at its end yet.
  const path = wanted.content.kind === 'block' ? finalTarget(wanted.path) : wanted.path;
  writeWhole(path, after, { mode, alone: wanted.content.kind === 'whole' });
}

function isDeclared({ path, content }: WantedFile): boolean {
  try {
    return content.kind === 'block' && content.isThere(readFileSync(path));
  } catch {
    // Not mounted, or not for us to read: then it is said again.
    return false;
  }
}

function changeOf(wanted: WantedFile, before: FileChange['before']): FileChange {
  const { content, mode } = wanted;
  if (content.kind === 'whole') return { wanted, before, after: Buffer.from(content.text), mode };
  const after = content.edit(before?.bytes ?? new Uint8Array());
  return { wanted, before, after, mode: before?.standing.mode ?? mode };
}

function differs(
  { wanted, after, mode }: FileChange,
  { bytes, standing }: NonNullable<FileChange['before']>,
): boolean {
  if (!bytes.equals(after) || standing.mode !== mode) return true;
  return wanted.content.kind === 'whole' && isForeign(standing);
}

/** For root only: its own files must not be another's. A user may look at root's, and has no others' in a private directory. */
const isForeign = ({ uid }: Standing): boolean => process.geteuid?.() === 0 && uid !== 0;

/** Of what is there; undefined where nothing is. */
export function standingAt(path: string): Standing | undefined {
  const stats = statsIfThere(path);
  return stats && standingOf(stats);
}

const standingOf = ({ mode, uid, gid }: Stats): Standing => ({ mode: mode & 0o7777, uid, gid });
