/** What we changed outside the state directory, and how it was before: kept so that all of it can be undone. */
import * as v from 'valibot';
import { Exit, Failed, failureOf } from '../system/failure.ts';
import { readIfThere, writeWhole } from '../system/files/files.ts';
import {
  digestOf,
  missingDirectories,
  replacesTheirs,
  type FileChange,
  type WantedFile,
} from './file-change.ts';
import { advice, ours } from '../system/advice.ts';

/** A line of others' that ours took the place of. */
export const replacedSchema = v.strictObject({ line: v.number(), text: v.string() });

/** One thing that we put somewhere, and what was there before. */
export const receiptSchema = v.strictObject({
  path: v.string(),
  /** `log`: a file that our job writes; `backup-exclusion`: a directory that Time Machine was told to leave out. */
  put: v.picklist(['whole', 'block', 'directory', 'log', 'backup-exclusion']),
  /** How the file was before our first change; null if there was none. `bytes` (base64): what was in one that is ours whole now. */
  before: v.nullable(
    v.strictObject({
      mode: v.number(),
      uid: v.number(),
      gid: v.number(),
      bytes: v.optional(v.string()),
    }),
  ),
  /** SHA-256 of what we put: the whole text, or the block's lines; of a directory nothing. */
  digest: v.string(),
  /** Lines of others that ours took the place of, each with its number (from 0) before that; a character a byte. */
  replaced: v.optional(v.array(replacedSchema), []),
  /** When we last changed it, ISO 8601. */
  at: v.string(),
});

/** As it is kept. */
export type Receipt = Readonly<v.InferOutput<typeof receiptSchema>>;

/** The receipt of a file that is as it should be, or is about to be made so. */
export function receiptOf(
  wanted: WantedFile,
  before: FileChange['before'] | Pick<NonNullable<FileChange['before']>, 'standing'>,
  now: number,
): Receipt {
  const { content } = wanted;
  const bytes = before !== undefined && 'bytes' in before ? before.bytes : undefined;
  return {
    path: wanted.path,
    put: content.kind,
    before: before?.standing ?? null,
    digest: digestOf(wanted),
    replaced: content.kind === 'block' && bytes !== undefined ? [...content.replaces(bytes)] : [],
    at: new Date(now).toISOString(),
  };
}

/** The receipts of a change that is about to be made: of the directories that it makes, then of the file. */
export function receiptsOf(change: FileChange, now: number): Receipt[] {
  const { wanted, before } = change;
  const receipt = receiptOf(wanted, before, now);
  const bytes = replacesTheirs(change) ? before?.bytes.toString('base64') : undefined;
  const kept =
    bytes === undefined || receipt.before === null
      ? receipt
      : { ...receipt, before: { ...receipt.before, bytes } };
  return [...directoryReceipts(wanted.path, now), kept];
}

/** The receipts of the directories that have to be made for a file. */
const directoryReceipts = (file: string, now: number): Receipt[] =>
  missingDirectories(file).map((path) => directoryReceipt(path, now));

/** The receipt of a directory that is ours as long as nobody else has something in it. */
const directoryReceipt = (path: string, now: number): Receipt => ({
  path,
  put: 'directory',
  before: null,
  digest: '',
  replaced: [],
  at: new Date(now).toISOString(),
});

/** The receipt of a file that our job will write, and nobody else. */
export const logReceipt = (path: string, now: number): Receipt => ({
  path,
  put: 'log',
  before: null,
  digest: '',
  replaced: [],
  at: new Date(now).toISOString(),
});

/** All receipts with a newer one: what was before our first change to a file stays known, and what somebody put over ours since. */
export function withReceipt(receipts: readonly Receipt[], receipt: Receipt): readonly Receipt[] {
  const first = receipts.find(({ path }) => path === receipt.path);
  if (first === undefined) return [...receipts, receipt];
  const at = first.digest === receipt.digest ? first.at : receipt.at;
  // After an end between receipt and change, the same lines are met again.
  const isNew = ({ line, text }: Receipt['replaced'][number]) =>
    !first.replaced.some((known) => known.line === line && known.text === text);
  const replaced = [...first.replaced, ...receipt.replaced.filter(isNew)];
  const before = receipt.before?.bytes === undefined ? first.before : receipt.before;
  const kept = { ...receipt, at, before, replaced };
  return receipts.map((each) => (each === first ? kept : each));
}

/** The receipts in a file; none if there is no file. */
export function readReceipts(path: string): readonly Receipt[] {
  const text = readIfThere(path);
  if (text === undefined) return [];
  try {
    return v.parse(v.array(receiptSchema), JSON.parse(text));
  } catch (error) {
    const failure = {
      kind: 'receipts-unreadable',
      message: `${path} is damaged.`,
      quotes: (error as Error).message,
      hint: advice`It records what ${ours('unconfigure')} has to undo. To continue without it, move it away.`,
      exit: Exit.dataError,
    };
    throw new Failed(failure, { cause: error });
  }
}

/** The same; none where they are not for us to read: whoever asks is of a group that may ask the daemon, and has no part in them. */
export function receiptsForUs(path: string): readonly Receipt[] {
  try {
    return readReceipts(path);
  } catch (error) {
    if (failureOf(error).kind !== 'cannot-read') throw error;
    return [];
  }
}

/** Whole, or not at all. */
export function writeReceipts(path: string, receipts: readonly Receipt[]): void {
  writeWhole(path, `${JSON.stringify(receipts, null, 2)}\n`, { alone: true });
}

/** Keeps receipts, old and new. */
export function recordReceipts(path: string, news: readonly Receipt[]): void {
  const known = readReceipts(path);
  const all = news.reduce(withReceipt, known);
  if (JSON.stringify(all) !== JSON.stringify(known)) writeReceipts(path, all);
}
