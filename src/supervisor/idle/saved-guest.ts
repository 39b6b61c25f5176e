/**
 * A guest that is away as a file, and the record that says so. While the record is there nobody has written to the disk since: it is made
 * when the last process that could has ended and both are on the medium, and every start removes it before there is a VM process.
 */
import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readSync, renameSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import * as v from 'valibot';
import type { Layout } from '../../config/layout.ts';
import { errorCode, Failed } from '../../system/failure.ts';
import { discard, readIfThere, writeWhole } from '../../system/files/files.ts';
import { cannotWrite } from '../../system/files/cannot-write.ts';
import type { Saved } from '../lifecycle/state.ts';
import { identitySchema } from '../suspend/guest-identity.ts';
import { linkStatsIfThere, exactStatsIfThere } from '../../system/stats.ts';

const schema = v.object({
  version: v.literal(1),
  identity: identitySchema,
  disk: v.string(),
  memory: v.string(),
  /** What it takes on the host's disk. */
  bytes: v.number(),
  /** Wall time, ISO 8601. */
  at: v.string(),
  /** When this guest booted, and how often it has gone on from a file since. */
  bootedAt: v.string(),
  resumes: v.number(),
  nixVersion: v.optional(v.string()),
  /** Those that a guest takes when it starts; absent in the record of an earlier release. */
  settings: v.optional(v.record(v.string(), v.unknown())),
});

/** The record of one that is away. */
export type SavedGuest = Readonly<v.InferOutput<typeof schema>>;

type Place = Pick<Layout, 'disk' | 'memory' | 'unfinishedMemory' | 'suspended' | 'state'>;

/** The guest that is away as a file; undefined where there is none. It is only looked at. */
export function readSaved({ suspended }: Place): SavedGuest | undefined {
  try {
    return v.parse(schema, JSON.parse(readIfThere(suspended) ?? 'null'));
  } catch {
    // A record that cannot be read is none: the guest boots.
    return undefined;
  }
}

/** What a guest left of itself, which nobody has taken yet. */
export function leftIn(layout: Place): Saved | undefined {
  const saved = readSaved(layout);
  return saved && { bytes: saved.bytes, at: saved.at };
}

/** Why a guest that was away as a file cannot go on from there. */
export interface Unresumed {
  readonly unfit: string;
}

/** A guest that was taken to go on with, or why it cannot. */
export type Taken = SavedGuest | Unresumed | undefined;

/**
 * Takes the guest: from here on the record is gone for good, whatever comes. Throws where that cannot be: then no guest may begin, since
 * its disk would go on and the file would not.
 */
export function takeSaved(layout: Place): Taken {
  if (!isRecorded(layout)) {
    // Whoever removed it may have died before that was on the medium. Where a directory cannot be flushed there never was one.
    flushDirectory(layout.state);
    forgetMemory(layout);
    return undefined;
  }
  const saved = readSaved(layout);
  const unfit = saved === undefined ? 'its record is unreadable' : unfitness(saved, layout);
  removeRecord(layout);
  if (saved !== undefined && unfit === undefined) return saved;
  forgetMemory(layout);
  return { unfit: unfit ?? '' };
}

function unfitness(saved: SavedGuest, { disk, memory }: Place): string | undefined {
  if (stampOf(disk) !== saved.disk) return 'its disk has changed since then';
  return payloadOf(memory) === saved.memory ? undefined : 'its file is damaged';
}

/** Nobody goes on with it: what is left of it goes. */
export function discardSaved(layout: Place): void {
  removeRecord(layout);
  forgetMemory(layout);
}

/** What was taken, or not finished, when nothing is left that could go on with it: without a record a file is no guest. */
export function forgetUnclaimed(layout: Place): void {
  if (!isRecorded(layout)) forgetMemory(layout);
}

const isRecorded = ({ suspended }: Place): boolean => linkStatsIfThere(suspended) !== undefined;

/** Nothing is left of what was in its memory. */
export function forgetMemory({ memory, unfinishedMemory }: Place): void {
  for (const path of [memory, unfinishedMemory]) discard(path);
}

/** Has on the medium what {@link commitSaved} makes sure of, which stops all else for as long as it takes. Whatever fails here fails there. */
export async function writeOut({ disk, unfinishedMemory }: Place): Promise<void> {
  for (const path of [unfinishedMemory, disk])
    try {
      const file = await open(path);
      await file.sync().finally(() => file.close());
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
    }
}

/**
 * The point from which it can go on. Its VM process has ended. Throws where the file, the disk or the record cannot be written: then there
 * is no record.
 */
export function commitSaved(
  layout: Place,
  facts: Omit<SavedGuest, 'version' | 'disk' | 'memory' | 'bytes'>,
): SavedGuest {
  const { disk, memory, unfinishedMemory, suspended, state } = layout;
  flush(unfinishedMemory);
  renameSync(unfinishedMemory, memory);
  flush(disk);
  flush(state);
  // Holes take no room.
  const bytes = statSync(memory).blocks * 512;
  const saved = {
    version: 1,
    ...facts,
    disk: stampOf(disk),
    memory: payloadOf(memory),
    bytes,
  } as const;
  writeWhole(suspended, `${JSON.stringify(saved)}\n`);
  flush(state);
  return saved;
}

function removeRecord(layout: Place): void {
  const { suspended } = layout;
  if (!isRecorded(layout)) return;
  try {
    rmSync(suspended);
    flush(layout.state);
  } catch (error) {
    throw new Failed(cannotWrite(suspended, error), { cause: error });
  }
}

/** What fsync says that does not know directories. */
const cannotFlush: ReadonlySet<string> = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/** Which file it is, how long it is, and when somebody wrote to it last. Not on which device: a boot of the host may number those anew. */
function stampOf(path: string): string {
  const found = exactStatsIfThere(path);
  return found === undefined ? 'none' : `${found.ino} ${found.size} ${found.mtimeNs}`;
}

/** So many pieces of a file are compared, evenly spread, and its end: that it is the one, and whole. */
const samples = 256;
const sampleBytes = 4096;

/** Length and digest of a saved guest; `none` where it cannot be read. */
function payloadOf(path: string): string {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const { size } = statSync(path);
    const hash = createHash('sha256');
    const piece = Buffer.alloc(sampleBytes);
    for (let n = 0; n <= samples; n++) {
      const at = Math.floor((Math.max(0, size - sampleBytes) / samples) * n);
      hash.update(piece.subarray(0, readSync(fd, piece, 0, sampleBytes, at)));
    }
    return `${size} ${hash.digest('hex')}`;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return 'none';
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** That a name in it is there, or is gone, is on the medium. */
export function flushDirectory(path: string): void {
  try {
    flush(path);
  } catch (error) {
    if (!cannotFlush.has(errorCode(error) ?? ''))
      throw new Failed(cannotWrite(path, error), { cause: error });
  }
}

/** Onto the medium; on macOS Node does that past the disk's own cache (F_FULLFSYNC). */
function flush(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
