/** Undoing what receipts say: what that takes, as data; and doing it. Newest first, the reverse of how it was made. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../system/failure.ts';
import { removeFile, writeWhole } from '../../system/files/files.ts';
import { finalTarget, type ReplacedLine } from '../../host/file-change.ts';
import { blockLines, withoutBlock } from '../../host/managed-block.ts';
import type { Receipt } from '../../host/receipts.ts';

/** What is there now. */
type Found =
  | { readonly kind: 'file'; readonly bytes: Uint8Array; readonly mode: number }
  | { readonly kind: 'directory'; readonly names: readonly string[] }
  | { readonly kind: 'missing' }
  /** We may not look. */
  | { readonly kind: 'hidden' }
  | { readonly kind: 'in-store'; readonly target: string };

/** What undoing a receipt takes. */
type Undo =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'delete' }
  | { readonly kind: 'delete-directory' }
  | { readonly kind: 'write'; readonly bytes: Buffer; readonly mode: number }
  /** What somebody had there before us. */
  | { readonly kind: 'put-back'; readonly bytes: Buffer; readonly mode: number }
  /** Only root can tell. */
  | { readonly kind: 'unknown' }
  /** It is not as we left it, so it is somebody's. */
  | { readonly kind: 'leave'; readonly why: string };

export interface UndoStep {
  readonly receipt: Receipt;
  readonly undo: Undo;
  /** What somebody else has changed since. */
  readonly notes: readonly string[];
}

interface UndoOptions {
  /** Files of ours without a receipt. */
  readonly alsoGone?: readonly string[];
  /** Whose the lines of a block are when they are another builder's of ours. */
  readonly otherIn?: (lines: readonly string[]) => string | undefined;
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

/** How to undo one receipt, given what is there. */
function undoOf(
  receipt: Receipt,
  found: Found,
  otherIn: NonNullable<UndoOptions['otherIn']> = () => undefined,
): { readonly undo: Undo; readonly notes: readonly string[] } {
  const only = (undo: Undo) => ({ undo, notes: [] });
  switch (found.kind) {
    case 'missing':
      return only({ kind: 'nothing' });
    case 'hidden':
      return only({ kind: 'unknown' });
    case 'in-store':
      return only({ kind: 'leave', why: `it is made by Nix now (${found.target})` });
    case 'directory':
      if (receipt.put !== 'directory') return only({ kind: 'leave', why: 'it is a directory now' });
      return only(
        found.names.length === 0
          ? { kind: 'delete-directory' }
          : { kind: 'leave', why: `it holds what is not ours: ${found.names.join(', ')}` },
      );
    case 'file':
      if (receipt.put !== 'block') return only(undoWhole(receipt, found));
      return undoBlock(receipt, found, otherIn);
  }
}

/** Does it. */
export function applyUndo({ receipt: { path }, undo }: UndoStep): void {
  if (undo.kind === 'delete') removeFile(path);
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
    unknown: [say('Did not see', 'look at', ', which only root can read')],
    delete: [say('Deleted', 'delete', '')],
    'delete-directory': [say('Deleted', 'delete', '/, which is empty')],
    write: [say('Took our lines out of', 'take our lines out of', '')],
    'put-back': [say('Put back', 'put back', ', as it was before')],
    leave: undo.kind === 'leave' ? [say('Left', 'leave', `: ${undo.why}`)] : [],
  }[undo.kind];
  return [...first, ...notes.map((note) => `  ${path}: ${note}`)];
}

type FoundFile = Extract<Found, { kind: 'file' }>;

function undoWhole({ digest, put, before }: Receipt, { bytes }: FoundFile): Undo {
  if (put === 'log') return { kind: 'delete' };
  if (put !== 'whole') return { kind: 'leave', why: 'it is a file now' };
  const old = before?.bytes === undefined ? undefined : Buffer.from(before.bytes, 'base64');
  // Put back by a removal that was cut short, or never replaced.
  if (old?.equals(bytes) === true) return { kind: 'nothing' };
  if (sha256(bytes) !== digest) return { kind: 'leave', why: 'it was changed by somebody else' };
  return before === null || old === undefined
    ? { kind: 'delete' }
    : { kind: 'put-back', bytes: old, mode: before.mode };
}

function undoBlock(
  receipt: Receipt,
  { bytes, mode }: FoundFile,
  otherIn: NonNullable<UndoOptions['otherIn']>,
) {
  const lines = blockLines(bytes);
  const other = lines && otherIn(lines);
  if (other !== undefined)
    return {
      undo: { kind: 'leave', why: `it leads to the builder in ${other} now` } as const,
      notes: [],
    };
  if (lines === undefined) {
    const lost = receipt.replaced.map(({ text }) => text.trim());
    const text = Buffer.from(bytes).toString('latin1');
    const notes = lost.every((line) => text.includes(line))
      ? []
      : [`It had these lines before, which are not put back: ${lost.join(' | ')}`];
    return { undo: { kind: 'nothing' } as const, notes };
  }
  const restored = withReplaced(withoutBlock(bytes), receipt.replaced);
  const { before } = receipt;
  const notes = [
    ...(sha256(lines.join('\n')) === receipt.digest
      ? []
      : [`Our lines were changed since: ${lines.join(' | ')}`]),
    ...(before === null || before.mode === mode
      ? []
      : [`Its mode was ${octal(before.mode)} before and is ${octal(mode)}: left so.`]),
  ];
  const undo: Undo =
    restored.length === 0 && before === null
      ? { kind: 'delete' }
      : { kind: 'write', bytes: restored, mode };
  return { undo, notes };
}

/** The lines that ours took the place of, where they were; the last that was taken out comes back first. */
function withReplaced(file: Buffer, replaced: readonly ReplacedLine[]): Buffer {
  const text = file.toString('latin1');
  const lines = text === '' ? [] : text.split(/(?<=\n)/);
  const sorted = [...replaced].sort((a, b) => a.line - b.line);
  for (const { line, text } of sorted) {
    const before = lines[Math.min(line, lines.length) - 1];
    const broken = before !== undefined && !before.endsWith('\n') ? '\n' : '';
    lines.splice(line, 0, broken + text);
  }
  return Buffer.from(lines.join(''), 'latin1');
}

function look(path: string, gone: ReadonlySet<string>): Found {
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

const sha256 = (data: Uint8Array | string): string =>
  createHash('sha256').update(data).digest('hex');
const octal = (mode: number): string => `0${mode.toString(8)}`;
