/** What the guest is told when it starts, as a small archive behind the image's initrd. See docs/guest-contract.md. */
import {
  appendFileSync,
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { cpioArchive, paddingTo, S_IFDIR, S_IFREG } from '../../system/cpio.ts';
import { errorCode, Exit, Failed } from '../../system/failure.ts';
import { sizeIfThere } from '../../system/files/files.ts';
import { cannotWrite } from '../../system/files/cannot-write.ts';
import { fenceMessages, type Rule } from '../agent/fence.ts';
import { advice, ours } from '../../system/advice.ts';

const GiB = 1024 ** 3;

/** Everything that a guest depends on and its image does not know. */
export interface Seed {
  readonly hostName: string;
  /** When it was made, in seconds since 1970: for a guest without a clock. */
  readonly timeS: number;
  /** The guest's own address with its prefix length: `10.0.2.15/24`. */
  readonly address: string;
  readonly gateway: string;
  readonly nameservers: readonly string[];
  /** Which network card, where there may be several. */
  readonly mac?: string;
  /** Name of the VM program: for images of the release before, which told from it where they are reached. */
  readonly vm: string;
  /** Where the agent listens, and how sshd is reached. */
  readonly agent: 'virtio' | 'vsock';
  readonly ssh: 'network' | 'vsock';
  /** Lines of authorized_keys: who may log in as `builder`. */
  readonly builderKeys: readonly string[];
  readonly rootKeys: readonly string[];
  /** The guest's ssh identity, as the two files hold it. */
  readonly hostKey: { readonly private: string; readonly public: string };
  /** Appended to the guest's own nix.conf. */
  readonly nixConf: string;
  /** What builds may not reach. */
  readonly fence: readonly Rule[];
}

/** The seed as a cpio archive; `end` comes last, so that its presence shows that all of it is there. */
export function seedArchive(seed: Seed): Uint8Array {
  const files: readonly (readonly [string, string | Buffer])[] = [
    ['settings', settings(seed)],
    ['authorized_keys.builder', lines(seed.builderKeys)],
    ['authorized_keys.root', lines(seed.rootKeys)],
    // sshd refuses a private key whose last line has no end.
    ['ssh_host_ed25519_key', withNewline(seed.hostKey.private)],
    ['ssh_host_ed25519_key.pub', withNewline(seed.hostKey.public)],
    ['nix.conf', seed.nixConf],
    ['fence', fenceMessages(seed.fence)],
    ['end', 'ok\n'],
  ];
  return cpioArchive([
    { path: 'seed', mode: S_IFDIR | 0o700 },
    ...files.map(([name, text]) => ({
      path: `seed/${name}`,
      mode: S_IFREG | 0o600,
      data: typeof text === 'string' ? Buffer.from(text) : text,
    })),
  ]);
}

interface InitrdFiles {
  /** The image's initrd; only read. */
  readonly base: string;
  /** How many of its first bytes; all where absent. */
  readonly baseBytes?: number | undefined;
  /** Replaced whole; 0600, since it holds keys. */
  readonly target: string;
}

/**
 * Writes the initrd that a guest boots: the image's, then zeros up to a multiple of 512, then the seed. Without the zeros the
 * kernel drops the seed and boots on ("invalid magic", "broken padding"). Costs no copy where the file system can clone.
 */
export function writeInitrd({
  base,
  baseBytes,
  target,
  seed,
}: InitrdFiles & { readonly seed: Seed }): void {
  const archive = seedArchive(seed);
  const size = baseBytes ?? sizeIfThere(base) ?? 0;
  if (size === 0) throw new Failed(noInitrd(base));
  const unfinished = `${target}.new`;
  try {
    rmSync(unfinished, { force: true });
    if (baseBytes === undefined) copyFileSync(base, unfinished, constants.COPYFILE_FICLONE);
    else writeFileSync(unfinished, firstBytes(base, baseBytes), { mode: 0o600 });
    // The copy has the image's mode, which may be read-only or readable by all.
    chmodSync(unfinished, 0o600);
    appendFileSync(unfinished, Buffer.concat([Buffer.alloc(paddingTo(size, 512)), archive]));
    renameSync(unfinished, target);
  } catch (error) {
    rmSync(unfinished, { force: true });
    if (errorCode(error) === undefined) throw error;
    throw new Failed(cannotWrite(target, error), { cause: error });
  }
}

/** Fewer only where the file has no more. */
function firstBytes(path: string, bytes: number): Buffer {
  const all = Buffer.alloc(bytes);
  const fd = openSync(path, 'r');
  try {
    let at = 0;
    for (let got = -1; got !== 0 && at < bytes; at += got)
      got = readSync(fd, all, at, bytes - at, at);
    return all.subarray(0, at);
  } finally {
    closeSync(fd);
  }
}

/** What the builder's settings mean to the nix inside the guest, as nix.conf lines. */
export function guestNixConf(settings: {
  readonly maxJobs: number;
  readonly coresPerJob: number;
  readonly diskGiB: number;
  readonly features: readonly string[];
}): string {
  return lines([
    `max-jobs = ${settings.maxJobs}`,
    `cores = ${settings.coresPerJob}`,
    // The guest checks a derivation's features again; its own default would differ from what the host was told.
    `system-features = ${settings.features.join(' ')}`,
    // Old store paths make room before the disk is full: at all times, where a small one never has as much as is good for a large one.
    `min-free = ${Math.floor(Math.min(2, settings.diskGiB / 10) * GiB)}`,
    `max-free = ${Math.floor(Math.min(8, settings.diskGiB / 4) * GiB)}`,
  ]);
}

function settings(seed: Seed): string {
  return lines([
    setting('HOST_NAME', seed.hostName),
    setting('TIME', String(Math.floor(seed.timeS))),
    setting('ADDRESS', seed.address),
    setting('GATEWAY', seed.gateway),
    setting('NAMESERVERS', seed.nameservers.join(' ')),
    ...(seed.mac === undefined ? [] : [setting('MAC', seed.mac)]),
    setting('FENCE', String(seed.fence.length)),
    setting('VM', seed.vm),
    setting('AGENT', seed.agent),
    setting('SSH', seed.ssh),
  ]);
}

/** sh takes everything between single quotes as it is, except a single quote. */
function setting(name: string, value: string): string {
  if (/['\u0000-\u001f\u007f]/.test(value))
    throw new Error(`${name} cannot be a setting of the guest: ${JSON.stringify(value)}`);
  return `${name}='${value}'`;
}

/** Lines of a file; a line with a line in it would say something that nobody meant to say, such as one more key. */
function lines(all: readonly string[]): string {
  const odd = all.find((line) => /[\n\r\0]/.test(line));
  if (odd !== undefined) throw new Error(`not one line: ${JSON.stringify(odd)}`);
  return all.map((line) => `${line}\n`).join('');
}

const withNewline = (text: string): string => (text.endsWith('\n') ? text : `${text}\n`);

export function noInitrd(path: string) {
  return {
    kind: 'image-missing',
    message: `The guest's initrd ${path} does not exist or is empty.`,
    hint: advice`Run ${ours('image build')}, or correct \`bundle\` in config.json.`,
    exit: Exit.noInput,
    recovery: 'give-up',
    blames: 'image',
  } as const;
}
