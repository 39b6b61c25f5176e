/** A suite's signed release file, and through it the list of its packages. */
import { readFile } from 'node:fs/promises';
import { Exit, Failed } from '../../system/failure.ts';
import { decompressWhole } from '../tree/decompress.ts';
import { paragraphs } from './control-format.ts';
import { downloadAll, type DownloadOptions } from '../http/download.ts';
import { cachedPath, type FileToFetch } from '../http/cached-file.ts';
import { fetchText } from '../http/http.ts';
import { parsePackageIndex, type PackageIndex } from './package-index.ts';
import { signedText, type Keyring } from './signature.ts';

/** What a verified release file says. */
export interface Release {
  readonly codename: string;
  /** When the index was made. */
  readonly date: Date;
  /** Until when it holds; the release files of a stable Debian do not say. */
  readonly validUntil: Date | undefined;
  /** Hash and size of each file below `dists/SUITE/`. */
  readonly files: ReadonlyMap<string, { readonly sha256: string; readonly size: number }>;
}

/** 140 KB today. */
const maxReleaseBytes = 8 * 1024 * 1024;

/** Which of the release files are believed. */
export interface ReleaseOptions extends DownloadOptions {
  /** No older one is believed. */
  readonly notBefore?: Date | undefined;
  /** Takes one that is past the date until which it holds. */
  readonly acceptExpired?: boolean;
}

/**
 * Fetches the release file and believes it only if it is signed, is of that suite, is not older than `notBefore`, and has not
 * expired.
 */
export async function fetchRelease(
  mirror: string,
  suite: string,
  keyring: Keyring,
  options: ReleaseOptions,
): Promise<Release> {
  const url = `${mirror}/dists/${suite}/InRelease`;
  const message = await fetchText(url, maxReleaseBytes, options);
  const text = await signedText(message, keyring, new Date(options.clock.now()));
  const release = parseRelease(text);
  if (release?.codename !== suite) throw notThat(url, suite, release);
  if (options.notBefore !== undefined && release.date < options.notBefore)
    throw older(url, release.date, options.notBefore);
  if (options.acceptExpired !== true && hasExpired(release, options.clock.now()))
    throw expired(url, release.validUntil);
  return release;
}

/** By the date that the file itself gives; one without a date holds for ever. */
export const hasExpired = ({ validUntil }: Release, nowMs: number): boolean =>
  validUntil !== undefined && validUntil.getTime() < nowMs;

/** The suite's packages for an architecture: the index of the section `main`, by its hash in the release. */
export async function fetchIndex(
  mirror: string,
  release: Release,
  arch: string,
  options: DownloadOptions,
): Promise<PackageIndex> {
  const path = `main/binary-${arch}/Packages.xz`;
  const file = release.files.get(path);
  if (file === undefined) throw noIndex(release.codename, path);
  const wanted: FileToFetch = {
    name: listName(arch),
    url: `${mirror}/dists/${release.codename}/${path}`,
    ...file,
  };
  await downloadAll([wanted], options);
  const packed = await readFile(cachedPath(options.directory, file.sha256));
  const plain = await decompressWhole(wanted.name, packed, 'xz', options.signal);
  return parsePackageIndex(plain.toString('utf8'), release.codename);
}

/** What a package list is called in messages. */
export const listName = (arch: string): string => `Debian's package list for ${arch}`;

/** The fields that we use, or undefined when it is no release file. */
export function parseRelease(text: string): Release | undefined {
  const [fields] = paragraphs(text);
  const codename = fields?.get('codename');
  const date = new Date(fields?.get('date') ?? '');
  const until = new Date(fields?.get('valid-until') ?? '');
  if (codename === undefined || Number.isNaN(date.getTime())) return undefined;
  const lines = fields?.get('sha256')?.split('\n') ?? [];
  const files = new Map(
    lines.flatMap((line) => {
      const [, sha256, size, path] = /^\s*([0-9a-f]{64})\s+(\d+)\s+(\S+)$/.exec(line) ?? [];
      return sha256 === undefined || path === undefined
        ? []
        : [[path, { sha256, size: Number(size) }] as const];
    }),
  );
  const validUntil = Number.isNaN(until.getTime()) ? undefined : until;
  return { codename, date, validUntil, files };
}

const anotherMirror = 'Use another mirror with --mirror URL.';

/** `release`: what it is in place of `suite`; undefined where it is no release file. */
export function notThat(url: string, suite: string, release: Release | undefined): Failed {
  const what =
    release === undefined
      ? 'is not a release file'
      : `is for ${release.codename}, not for ${suite}`;
  return new Failed({
    kind: 'release-wrong',
    message: `${url} is signed by Debian, but ${what}.`,
    hint: anotherMirror,
    exit: Exit.dataError,
  });
}

/** `notBefore`: the date of the list that the lock was made from. */
export const older = (url: string, date: Date, notBefore: Date): Failed =>
  new Failed({
    kind: 'release-older',
    message: `${url} is from ${date.toISOString()}, older than what the lock was made from (${notBefore.toISOString()}).`,
    hint: `An old list can bring back packages with known vulnerabilities. ${anotherMirror}`,
    exit: Exit.dataError,
  });

/** `until`: the date that the file itself gives. */
export const expired = (url: string, until: Date | undefined): Failed =>
  new Failed({
    kind: 'release-expired',
    message: `${url} was valid until ${until?.toISOString()}: the mirror is out of date, this machine's clock is ahead, or somebody withholds updates from you.`,
    hint: `${anotherMirror} To use it anyway, add --accept-expired-index.`,
    exit: Exit.dataError,
  });

/** `path`: of a list of packages, below the suite's folder. */
export const noIndex = (suite: string, path: string): Failed =>
  new Failed({
    kind: 'release-wrong',
    message: `The release file of ${suite} does not list ${path}.`,
    hint: anotherMirror,
    exit: Exit.dataError,
  });
