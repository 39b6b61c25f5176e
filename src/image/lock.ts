/** lock.json: which packages an image is made of, to the byte. In the repo, so that everybody makes the same image. */
import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { Exit, Failed } from '../system/failure.ts';
import { readIfThere, writeWhole } from '../system/files.ts';
import type { Arch } from './recipe.ts';

const located = v.strictObject({
  name: v.pipe(v.string(), v.nonEmpty()),
  version: v.pipe(v.string(), v.nonEmpty()),
  filename: v.pipe(v.string(), v.regex(/^(?!\/)(?!.*\.\.\/)[\w.+~:%@/-]+$/)),
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  size: v.pipe(v.number(), v.integer(), v.minValue(1)),
});

const perArch = v.strictObject({
  /** The names asked for. */
  requested: v.array(v.string()),
  /** The closed set, sorted by name. */
  packages: v.array(located),
});

const schema = v.strictObject({
  suite: v.string(),
  /** Date of the index that it was resolved from; no older one is believed. */
  indexDate: v.pipe(v.string(), v.isoTimestamp()),
  /** Names that were taken for present and left out with all they need. */
  without: v.array(v.string()),
  /** What made the squashfs; another version may give other bytes. */
  squashfs: v.strictObject({
    tool: v.string(),
    version: v.string(),
    options: v.array(v.string()),
  }),
  architectures: v.strictObject({ amd64: perArch, arm64: perArch }),
});

export type Lock = v.InferOutput<typeof schema>;

export type LockedPackages = Lock['architectures'][Arch];

/** The lock in a file. */
export function readLock(path: string): Lock {
  const text = readIfThere(path);
  if (text === undefined) throw unusable(path, 'there is none');
  const parsed = v.safeParse(schema, jsonOf(path, text));
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  throw unusable(path, `${v.getDotPath(issue) ?? 'it'}: ${issue.message}`);
}

/** Replaces the lock; fields and packages are in a fixed order, so that a diff shows what changed. */
export function writeLock(path: string, lock: Lock): void {
  writeWhole(path, `${JSON.stringify(lock, null, 2)}\n`, { mode: 0o644 });
}

/** What decides the image among the lock's content, for one architecture. */
export function lockHash(lock: Lock, arch: Arch): string {
  const { suite, indexDate, without, architectures } = lock;
  const decides = JSON.stringify([suite, indexDate, without, architectures[arch]]);
  return createHash('sha256').update(decides).digest('hex');
}

function jsonOf(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw unusable(path, (error as Error).message);
  }
}

const unusable = (path: string, why: string): Failed =>
  new Failed({
    kind: 'lock-unusable',
    message: `The lock ${path} cannot be used: ${why}.`,
    hint: 'Install linuxkit-builder again, or make a new lock with `linuxkit-builder image build --update`.',
    exit: Exit.config,
  });
