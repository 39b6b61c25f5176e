/** Undoing what receipts say, newest first, the reverse of how it was made: what that takes, in which order; doing it, and saying it. */
import { readFileSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../system/failure.ts';
import { removeFile, writeWhole } from '../system/files/files.ts';
import { finalTarget } from '../system/files/final-target.ts';
import type { Receipt } from './receipts.ts';
import { undoOf, type FoundPath, type OtherIn, type Undoing } from './undo-of.ts';

export interface UndoStep extends Undoing {
  readonly receipt: Receipt;
}

interface UndoOptions {
  /** Files of ours without a receipt. */
  readonly alsoGone?: readonly string[];
  readonly otherIn?: OtherIn;
}

/** What undoing all of these takes, in the order in which it has to be done. */
export function undoStepsOf(
  receipts: readonly Receipt[],
  { alsoGone = [], otherIn = () => undefined }: UndoOptions = {},
): UndoStep[] {
  const gone = new Set(alsoGone);
  // What was told to a program is taken back through it.
  const files = receipts.filter(({ put }) => put !== 'backup-exclusion');
  return files.toReversed().map((receipt) => {
    const found = look(receipt.path, gone);
    const undoing = { receipt, ...undoOf(receipt, found, otherIn) };
    if (/^delete/.test(undoing.undo.kind)) gone.add(receipt.path);
    return undoing;
  });
}

/** Does it. */
export function applyUndo({ receipt: { path, put }, undo }: UndoStep): void {
  // A link to a file of others is theirs, and led nowhere before.
  if (undo.kind === 'delete') removeFile(put === 'block' ? finalTarget(path) : path);
  if (undo.kind === 'delete-directory') rmdirSync(path);
  if (undo.kind === 'write' || undo.kind === 'put-back')
    writeWhole(path, undo.bytes, { mode: undo.mode });
}

/** What was done, or would be, for a person; no line where there is nothing to say. */
export function describeUndo(
  { receipt: { path }, undo, notes }: UndoStep,
  tense: 'done' | 'planned',
): string[] {
  const say = (done: string, planned: string, rest: string) =>
    `${tense === 'done' ? done : `Would ${planned}`} ${path}${rest}`;
  const first = {
    nothing: [],
    unknown: [say('Could not check', 'check', ', which only root can read')],
    delete: [say('Deleted', 'delete', '')],
    'delete-directory': [say('Deleted', 'delete', '/, which is empty')],
    write: [say('Removed our lines from', 'remove our lines from', '')],
    'put-back': [say('Restored', 'restore', ' as it was before')],
    leave: undo.kind === 'leave' ? [say('Left', 'leave', `: ${undo.why}`)] : [],
  }[undo.kind];
  return [...first, ...notes.map((note) => `  ${path}: ${note}`)];
}

function look(path: string, gone: ReadonlySet<string>): FoundPath {
  const target = finalTarget(path);
  if (target.startsWith('/nix/store/')) return { kind: 'in-store', target };
  try {
    const stats = statSync(path);
    if (stats.isDirectory()) {
      const names = readdirSync(path).filter((name) => !gone.has(join(path, name)));
      return { kind: 'directory', names };
    }
    return { kind: 'file', bytes: readFileSync(path), mode: stats.mode & 0o7777 };
  } catch (error) {
    if (errorCode(error) === 'EACCES') return { kind: 'hidden' };
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return { kind: 'missing' };
    throw error;
  }
}
