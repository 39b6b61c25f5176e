/** The keys of one installation: who may log in to the guest, and how the guest proves that it is ours. */
import { refusal } from '../../system/files/reasons.ts';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Layout } from '../../config/layout.ts';
import { run, succeeded } from '../../system/process/child.ts';
import { whyFailed } from '../../system/process/end-words.ts';
import { errorCode, Exit, Failed, type Failure } from '../../system/failure.ts';
import { discard, makeDirectory, readIfThere, writeWhole } from '../../system/files/files.ts';
import { cannotWrite } from '../../system/files/cannot-write.ts';
import { findProgram } from '../../system/process/find-program.ts';
import { readOpensshKey } from './openssh-key.ts';
import { quotedWord } from '../../system/shell.ts';
import { advice, asSentence, ours } from '../../system/advice.ts';

/** An ssh key: the private file's text, and the public half as one line. */
interface KeyPair {
  readonly private: string;
  readonly public: string;
}

interface Identity {
  /** Logs in as `builder`. */
  readonly client: KeyPair;
  /** Logs in as `root`. */
  readonly root: KeyPair;
  /** The guest's own. */
  readonly host: KeyPair;
}

type KeyPaths = Pick<Layout, 'keys' | 'clientKey' | 'rootKey' | 'hostKey'>;

/** The keys as they are. Failed `identity-missing` before configure, `identity-broken` for a key that ssh would not take. */
export function readIdentity(layout: KeyPaths): Identity {
  return mapKeys(layout, (path) => {
    const pair = readPair(path);
    if (pair === undefined) throw new Failed(identityMissing(path));
    return pair;
  });
}

/** Those that are there: what {@link ensureIdentity} would keep. Failed `identity-broken` for a key that ssh would not take. */
export const presentKeys = (layout: KeyPaths): Record<Name, KeyPair | undefined> =>
  mapKeys(layout, readPair);

/**
 * Makes the keys that are missing, whole or not at all, and changes none that is there. To be called within the section
 * that serialises configure (layout.startLock): it clears away what a killed one left.
 */
export async function ensureIdentity(layout: KeyPaths, signal?: AbortSignal): Promise<Identity> {
  makeDirectory(layout.keys);
  clearUnfinished(layout.keys);
  // All that are there are judged before the first is made.
  const present = presentKeys(layout);
  for (const name of names) if (present[name] === undefined) await makeKey(layout, name, signal);
  const identity = readIdentity(layout);
  // ssh offers the public half beside a key and fails where it is another's; it can always be had from the private one.
  mapKeys(layout, (path, name) => {
    const line = `${identity[name].public}\n`;
    if (readIfThere(`${path}.pub`) !== line)
      writeWhole(`${path}.pub`, line, { mode: 0o644, alone: true });
  });
  return identity;
}

/** Deletes all of them: whoever has a copy has nothing. {@link ensureIdentity} makes others. */
export function discardIdentity(layout: KeyPaths): void {
  mapKeys(layout, (path) => [path, `${path}.pub`].forEach(discard));
}

type Name = keyof Identity;
const names: readonly Name[] = ['client', 'root', 'host'];

const mapKeys = <T>(layout: KeyPaths, read: (path: string, name: Name) => T): Record<Name, T> => ({
  client: read(layout.clientKey, 'client'),
  root: read(layout.rootKey, 'root'),
  host: read(layout.hostKey, 'host'),
});

/** The pair of a private key file; undefined where there is none. Only what ssh would take is given. */
function readPair(path: string): KeyPair | undefined {
  try {
    const { mode } = statSync(path);
    const text = readFileSync(path, 'utf8');
    if ((mode & 0o077) !== 0)
      throw new Failed(looseMode(path, (mode & 0o777).toString(8).padStart(4, '0')));
    const key = readOpensshKey(text);
    if ('wrong' in key) throw new Failed(identityBroken(path, key.wrong));
    return { private: text, public: key.public };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    if (error instanceof Failed || errorCode(error) === undefined) throw error;
    throw new Failed(identityBroken(path, `cannot be read (${refusal(error)})`));
  }
}

/** In a folder of its own, then linked to its name: link(2) never replaces what is there. */
async function makeKey(layout: KeyPaths, name: Name, signal?: AbortSignal): Promise<void> {
  const program = findProgram('ssh-keygen');
  const path = mapKeys(layout, (key) => key)[name];
  const folder = mkdtempSync(join(layout.keys, unfinished));
  try {
    const made = join(folder, 'key');
    const words = ['-q', '-t', 'ed25519', '-N', '', '-C', `linuxkit-builder-${name}`];
    const options = signal === undefined ? {} : { signal };
    const ran = await run(program, [...words, '-f', made], { timeoutMs: 30_000, ...options });
    signal?.throwIfAborted();
    if (!succeeded(ran)) throw new Failed(keygenFailed(program, whyFailed(ran)));
    flush(made);
    linkSync(made, path);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    if (errorCode(error) !== 'EEXIST') throw new Failed(cannotWrite(path, error), { cause: error });
    throw new Failed(identityBroken(path, brokenLink));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Beginning of the names of folders that a configure leaves when it is killed. */
const unfinished = '.unfinished-';

function clearUnfinished(keys: string): void {
  for (const name of readdirSync(keys))
    if (name.startsWith(unfinished)) rmSync(join(keys, name), { recursive: true, force: true });
}

/** A key that is lost in a power cut after it was handed out would be an empty file for ever. */
function flush(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** After `The key PATH`. */
export const brokenLink = 'is a symbolic link to a file that does not exist';

export const identityMissing = (path: string): Failure => ({
  kind: 'identity-missing',
  message: `The key ${path} does not exist.`,
  hint: advice`Create it: ${ours('configure')}`,
  exit: Exit.config,
  recovery: 'give-up',
});

/** `wrong`: what it is, after `The key PATH`. */
export const identityBroken = (path: string, wrong: string): Failure => ({
  kind: 'identity-broken',
  message: `The key ${path} ${wrong}.`,
  hint: advice`Restore a good copy, or replace it: rm ${quotedWord(path)} && ${ours('configure')}`,
  exit: Exit.config,
  recovery: 'give-up',
});

/** `mode`: in octal. */
export const looseMode = (path: string, mode: string): Failure => ({
  kind: 'identity-broken',
  message: `The key ${path} has mode ${mode}. Others can read it, so ssh refuses to use it.`,
  hint: advice`Run: chmod 600 ${quotedWord(path)}. If somebody may have copied it, replace it instead: rm ${quotedWord(path)} && ${ours('configure')}`,
  exit: Exit.config,
  recovery: 'give-up',
});

/** `program`: ssh-keygen, or what stands in its place. */
export const keygenFailed = (program: string, why: string): Failure => ({
  kind: 'keygen-failed',
  message: `${program} could not create a key: ${asSentence(why)}`,
  hint: 'Check that the disk has free space and that ssh-keygen supports ed25519: ssh-keygen -t ed25519 -f /tmp/try',
  exit: Exit.unavailable,
});
