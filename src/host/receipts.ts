/** What we changed outside the state directory, and how it was before: kept so that all of it can be undone. */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { Exit, Failed } from '../system/failure.ts';
import { readIfThere, writeWhole } from '../system/files.ts';
import { digestOf, type Standing, type WantedFile } from './file-change.ts';
import { withoutBlock } from './managed-block.ts';

export const receiptSchema = v.strictObject({
  path: v.string(),
  put: v.picklist(['whole', 'block']),
  /** How the file was before our first change; null if there was none. */
  before: v.nullable(v.strictObject({ mode: v.number(), uid: v.number(), gid: v.number() })),
  /** SHA-256 of what we put: the whole text, or the block's lines. */
  digest: v.string(),
  /** When we last changed it, ISO 8601. */
  at: v.string(),
});

export type Receipt = Readonly<v.InferOutput<typeof receiptSchema>>;

/** The receipt of a file that is now as it should be. */
export function receiptOf(wanted: WantedFile, before: Standing | undefined, now: number): Receipt {
  return {
    path: wanted.path,
    put: wanted.content.kind,
    before: before ?? null,
    digest: digestOf(wanted),
    at: new Date(now).toISOString(),
  };
}

/** All receipts with a newer one: what was before our first change to a file stays known. */
export function withReceipt(receipts: readonly Receipt[], receipt: Receipt): readonly Receipt[] {
  const first = receipts.find(({ path }) => path === receipt.path);
  if (first === undefined) return [...receipts, receipt];
  const at = first.digest === receipt.digest ? first.at : receipt.at;
  return receipts.map((each) => (each === first ? { ...receipt, at, before: first.before } : each));
}

/** True when the last thing we put there is what should be there: all that can be known of a file we may not read. */
export function isRecorded(receipts: readonly Receipt[], wanted: WantedFile): boolean {
  return receipts.some(({ path, digest }) => path === wanted.path && digest === digestOf(wanted));
}

/** What undoing a receipt takes. */
export type Undo =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'delete' }
  | { readonly kind: 'write'; readonly bytes: Buffer }
  /** It is not as we left it, so it is somebody's. */
  | { readonly kind: 'leave'; readonly why: string };

/** How to undo a receipt, given what is in the file now. */
export function undo(receipt: Receipt, now: Uint8Array | undefined): Undo {
  if (now === undefined) return { kind: 'nothing' };
  if (receipt.put === 'block') {
    const bytes = withoutBlock(now);
    if (bytes.length === 0 && receipt.before === null) return { kind: 'delete' };
    return bytes.equals(now) ? { kind: 'nothing' } : { kind: 'write', bytes };
  }
  const digest = createHash('sha256').update(now).digest('hex');
  return digest === receipt.digest
    ? { kind: 'delete' }
    : { kind: 'leave', why: 'it was changed by somebody else' };
}

/** The receipts in a file; none if there is no file. */
export function readReceipts(path: string): readonly Receipt[] {
  const text = readIfThere(path);
  if (text === undefined) return [];
  try {
    return v.parse(v.array(receiptSchema), JSON.parse(text));
  } catch (error) {
    const why = (error as Error).message;
    const failure = {
      kind: 'receipts-unreadable',
      message: `${path} is not what was written there: ${why}.`,
      hint: 'It says what to undo at a removal. Move it away to go on without it.',
      exit: Exit.dataError,
    };
    throw new Failed(failure, { cause: error });
  }
}

export function writeReceipts(path: string, receipts: readonly Receipt[]): void {
  writeWhole(path, `${JSON.stringify(receipts, null, 2)}\n`);
}
