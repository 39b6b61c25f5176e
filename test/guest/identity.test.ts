import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { ensureIdentity, readIdentity } from '../../src/guest/identity/identity.ts';
import { readOpensshKey } from '../../src/guest/identity/openssh-key.ts';
import { plainly } from '../../src/system/advice.ts';
import { Failed, type Failure } from '../../src/system/failure.ts';
import { saying } from '../fakes/saying.ts';
import { removeTree } from '../remove-tree.ts';

let dir: string;
let layout: ReturnType<typeof layoutOf>;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'identity-'));
  layout = layoutOf(join(dir, 'a state directory'));
});
afterEach(() => removeTree(dir));
const keyFiles = () => [layout.clientKey, layout.rootKey, layout.hostKey];
const all = () => readdirSync(layout.keys).sort();
const complete = ['client_ed25519', 'host_ed25519', 'root_ed25519'].flatMap((name) => [
  name,
  `${name}.pub`,
]);

function failure(fn: () => unknown): Failure {
  try {
    fn();
  } catch (error) {
    if (error instanceof Failed) return error.failure;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('ensureIdentity', () => {
  test('makes three different keys, private, that ssh-keygen reads as we do', async () => {
    const identity = await ensureIdentity(layout);
    expect(all()).toEqual(complete);
    expect(statSync(layout.keys).mode & 0o777).toBe(0o700);
    for (const path of keyFiles()) {
      expect(statSync(path).mode & 0o777).toBe(0o600);
      const shown = execFileSync('ssh-keygen', ['-y', '-f', path]).toString().trim();
      expect(readFileSync(`${path}.pub`, 'utf8').trim()).toBe(shown);
    }
    expect(identity.client.public).toBe(readFileSync(`${layout.clientKey}.pub`, 'utf8').trim());
    expect(identity.host.private).toBe(readFileSync(layout.hostKey, 'utf8'));
    const lines = [identity.client, identity.root, identity.host].map((key) => key.public);
    expect(new Set(lines.map((line) => line.split(' ')[1])).size).toBe(3);
    expect(readIdentity(layout)).toEqual(identity);
  });

  test('changes nothing that is there, makes what is missing', async () => {
    const before = await ensureIdentity(layout);
    rmSync(layout.rootKey);
    writeFileSync(`${layout.clientKey}.pub`, 'ssh-ed25519 somebody elses');
    const after = await ensureIdentity(layout);
    expect(after.client).toEqual(before.client);
    expect(after.host).toEqual(before.host);
    expect(after.root).not.toEqual(before.root);
    for (const [path, key] of [
      [layout.rootKey, after.root],
      [layout.clientKey, after.client],
    ] as const)
      expect(readFileSync(`${path}.pub`, 'utf8')).toBe(`${key.public}\n`);
  });

  test('a link to a key that is away is not replaced', async () => {
    mkdirSync(layout.keys, { recursive: true });
    symlinkSync(join(dir, 'unmounted', 'key'), layout.clientKey);
    await expect(ensureIdentity(layout)).rejects.toMatchObject({
      failure: { kind: 'identity-broken', message: expect.stringContaining('link') as string },
    });
    expect(all()).toEqual(['client_ed25519']);
  });

  test('a folder that cannot be written is named', async () => {
    writeFileSync(layout.root, 'a file');
    await expect(ensureIdentity(layout)).rejects.toMatchObject({
      failure: { kind: 'cannot-write' },
    });
  });

  test('an abort, and a killed run before, leave nothing half', async () => {
    mkdirSync(join(layout.keys, '.unfinished-x'), { recursive: true });
    writeFileSync(join(layout.keys, '.unfinished-x', 'key'), 'half');
    const stop = new AbortController();
    const making = ensureIdentity(layout, stop.signal);
    stop.abort(new Error('Ctrl-C'));
    await expect(making).rejects.toThrow('Ctrl-C');
    expect(all()).toEqual([]);
  });

  test('a missing ssh-keygen is named, with how to get it', async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = dir;
    try {
      await expect(ensureIdentity(layout)).rejects.toMatchObject({
        failure: { kind: 'program-missing', hint: saying(/install/) },
      });
      expect(all()).toEqual([]);
    } finally {
      process.env['PATH'] = path;
    }
  });

  test('a broken key stops it before anything is made', async () => {
    mkdirSync(layout.keys, { recursive: true });
    writeFileSync(layout.hostKey, '', { mode: 0o600 });
    await expect(ensureIdentity(layout)).rejects.toMatchObject({
      failure: { kind: 'identity-broken', message: expect.stringContaining('is empty') as string },
    });
    expect(all()).toEqual(['host_ed25519']);
  });
});

describe('readIdentity', () => {
  test('before configure it says so', () => {
    expect(failure(() => readIdentity(layout))).toMatchObject({
      kind: 'identity-missing',
      hint: saying('linuxkit-builder configure'),
    });
  });

  test.each<[string, (path: string, text: string) => void, string]>([
    ['empty', (path) => writeFileSync(path, ''), 'is empty'],
    [
      'cut',
      (path, text) => writeFileSync(path, text.slice(0, 200)),
      'not a complete OpenSSH private key',
    ],
    ['text', (path) => writeFileSync(path, 'hello'), 'not a complete OpenSSH private key'],
    ['open to others', (path) => chmodSync(path, 0o640), 'has mode 0640'],
    [
      'shortened inside',
      (path, text) => writeFileSync(path, text.replace(/\n.{60}/, '\n')),
      'is damaged',
    ],
    [
      'a folder',
      (path) => {
        rmSync(path);
        mkdirSync(path, { mode: 0o700 });
      },
      'cannot be read (it is a directory)',
    ],
    [
      'a loop',
      (path) => {
        rmSync(path);
        symlinkSync(path, path);
      },
      'cannot be read (its symbolic links form a loop)',
    ],
  ])('a key that is %s is a named failure', async (_, spoil, words) => {
    const { client } = await ensureIdentity(layout);
    spoil(layout.clientKey, client.private);
    const { kind, message, hint } = failure(() => readIdentity(layout));
    expect(kind).toBe('identity-broken');
    expect(message).toContain(words);
    expect(message + plainly(hint)).toContain(layout.clientKey);
  });
});

describe('readOpensshKey', () => {
  const make = (...words: string[]): string => {
    const path = join(dir, 'k');
    execFileSync('ssh-keygen', ['-q', '-f', path, ...words]);
    return readFileSync(path, 'utf8');
  };

  test('notices every flipped byte of the key material', () => {
    const text = make('-t', 'ed25519', '-N', '', '-C', '');
    const [begin = '', ...rest] = text.trim().split('\n');
    const blob = Buffer.from(rest.slice(0, -1).join(''), 'base64');
    const whole = readOpensshKey(text);
    // From the number of keys to the end of the secret; the comment and padding behind it open no door.
    const end = blob.length - 16;
    for (let at = 0; at < end; at++) {
      const spoiled = Buffer.from(blob);
      spoiled[at] = (spoiled[at] ?? 0) ^ 0x41;
      const read = readOpensshKey(
        `${begin}\n${spoiled.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`,
      );
      if (!('wrong' in read)) expect(read, `byte ${at}`).toEqual(whole);
    }
    expect(whole).toMatchObject({ public: expect.stringMatching(/^ssh-ed25519 \S+$/) as string });
  });

  test('refuses keys that ssh could not use without a person', () => {
    expect(readOpensshKey(make('-t', 'ed25519', '-N', 'secret'))).toMatchObject({
      wrong: expect.stringContaining('passphrase') as string,
    });
    rmSync(join(dir, 'k'));
    expect(readOpensshKey(make('-t', 'ecdsa', '-N', ''))).toMatchObject({
      wrong: expect.stringContaining('ecdsa') as string,
    });
  });
});
