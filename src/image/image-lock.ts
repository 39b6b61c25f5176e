/** lock.json: which packages an image is made of, to the byte. In the repo, so that everybody makes the same image. */
import * as v from 'valibot';
import { sha256 } from '../system/digest.ts';
import { Exit, Failed } from '../system/failure.ts';
import { readIfThere, writeWhole } from '../system/files/files.ts';
import type { Arch } from './recipe.ts';
import type { Archive } from './debian/suites.ts';
import { advice, ours } from '../system/advice.ts';

const located = {
  name: v.pipe(v.string(), v.nonEmpty()),
  version: v.pipe(v.string(), v.nonEmpty()),
  filename: v.pipe(v.string(), v.regex(/^(?!\/)(?!.*(\.|%2e){2}\/)[\w.+~:%@/-]+$/i)),
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  size: v.pipe(v.number(), v.integer(), v.minValue(1)),
};
const codename = v.pipe(v.string(), v.regex(/^[a-z][a-z-]*$/));
const date = v.pipe(v.string(), v.isoTimestamp());

const suite = v.strictObject({
  codename,
  archive: v.picklist(['main', 'security'] satisfies Archive[]),
  /** Date of the index that it was resolved from; no older one is believed. */
  indexDate: date,
  /** The index was past the date until which it holds, which is this one, and was accepted all the same. */
  expired: v.optional(date),
});

const common = {
  /** Names that were taken for present and left out with all they need. */
  without: v.array(v.string()),
  /** What made the squashfs; another version may give other bytes. */
  squashfs: v.strictObject({
    tool: v.string(),
    version: v.string(),
    options: v.array(v.string()),
  }),
};

/** `requested`: the names asked for. `packages`: the closed set, sorted by name. */
const architectures = <Package extends v.ObjectEntries>(entries: Package) => {
  const perArch = v.strictObject({
    requested: v.array(v.string()),
    packages: v.array(v.strictObject(entries)),
  });
  return v.strictObject({ amd64: perArch, arm64: perArch });
};

const schema = v.strictObject({
  version: v.literal(2),
  /** Everything that it was resolved from; a package names its own. */
  suites: v.pipe(v.array(suite), v.minLength(1)),
  ...common,
  architectures: architectures({ ...located, suite: codename }),
});

/** As it was while there was one suite. */
const firstSchema = v.pipe(
  v.strictObject({
    suite: codename,
    indexDate: date,
    ...common,
    architectures: architectures(located),
  }),
  v.transform(({ suite: only, indexDate, without, squashfs, architectures: { amd64, arm64 } }) => {
    const of = ({ requested, packages }: typeof amd64) => ({
      requested,
      packages: packages.map((each) => ({ ...each, suite: only })),
    });
    return {
      version: 2 as const,
      suites: [{ codename: only, archive: 'main' as const, indexDate }],
      without,
      squashfs,
      architectures: { amd64: of(amd64), arm64: of(arm64) },
    };
  }),
);

/** As lock.json has it. */
export type Lock = v.InferOutput<typeof schema>;

/** Of one architecture: what was asked for, and what that comes to. */
export type LockedPackages = Lock['architectures'][Arch];

/** A signed list that packages were taken from, and its date. */
export type LockedSuite = Lock['suites'][number];

/** The lock in a file, of this format or the one before. */
export function readLock(path: string): Lock {
  const text = readIfThere(path);
  if (text === undefined) throw unusable(path, 'it does not exist');
  const json = jsonOf(path, text);
  const parsed = v.safeParse(isFirst(json) ? firstSchema : schema, json);
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
  const decides = JSON.stringify([lock.suites, lock.without, lock.architectures[arch]]);
  return sha256(decides);
}

/** The date of the newest of its indexes: that of every file in the image. */
export const newestIndex = (suites: readonly LockedSuite[]): Date =>
  new Date(Math.max(...suites.map(({ indexDate }) => Date.parse(indexDate))));

const isFirst = (json: unknown): boolean =>
  typeof json === 'object' && json !== null && !('version' in json);

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
    message: `Cannot use the image lock ${path}: ${why}.`,
    hint: advice`Reinstall linuxkit-builder, or create a new lock: ${ours('image build', '--update')}`,
    exit: Exit.config,
  });
