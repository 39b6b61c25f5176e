/** Who may log in to the guest: root's key may come while it runs. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { ensureIdentity, readIdentity } from '../../src/guest/identity/identity.ts';
import { builderKeys, GuestKeys, keysVersion } from '../../src/supervisor/start/builder-keys.ts';
import { Exit, Failed } from '../../src/system/failure.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
let roots: string | undefined;
const calls: (readonly string[])[] = [];
let answer: () => Promise<{ code: number; stdout: string; stderr: string }>;

beforeEach(async () => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'keys-')));
  await ensureIdentity(layout);
  roots = undefined;
  calls.length = 0;
  answer = () => Promise.resolve({ code: 0, stdout: '', stderr: '' });
});
afterEach(() => removeTree(layout.root));

const sources = () => ({ layout, rootsKey: () => roots });
const guest = (keys = keysVersion(sources())) => ({
  agent: {
    exec: (_: string, args: readonly string[]) => {
      calls.push(args.slice(3));
      return answer();
    },
  },
  told: { keys },
  signal: new AbortController().signal,
});
const key = (letter: string) => `ssh-ed25519 ${letter.repeat(68)}`;

test('a guest that has them is asked nothing', async () => {
  const keys = new GuestKeys({ ...sources(), log: () => undefined });
  expect(await keys.tell(guest())).toBe(true);
  expect(await keys.tell(undefined)).toBe(true);
  expect(calls).toEqual([]);
});

// Behaviour 87: If root gets a new key, a running guest accepts that key without a restart.
test('one that runs is told of a key of root’s that came, once, and of the next', async () => {
  const keys = new GuestKeys({ ...sources(), log: () => undefined });
  const one = guest();
  const { client } = readIdentity(layout);
  for (const letter of ['A', 'B']) {
    roots = key(letter);
    expect(await Promise.all([keys.tell(one), keys.tell(one)])).toEqual([true, true]);
    expect(await keys.tell(one)).toBe(true);
    expect(calls.splice(0)).toEqual([[client.public, `${key(letter)} nix-daemon`]]);
  }
});

test('one that cannot take them is not asked again and again', async () => {
  const keys = new GuestKeys({ ...sources(), log: () => undefined });
  const one = guest();
  roots = key('A');
  answer = () => Promise.resolve({ code: 1, stdout: '', stderr: 'no such file' });
  expect(await keys.tell(one)).toBe(false);
  await keys.tell(one);
  expect(calls).toHaveLength(1);
  const failure = { kind: 'agent-away', message: '', hint: '', exit: Exit.unavailable };
  answer = () => Promise.reject(new Failed(failure));
  roots = key('B');
  expect(await keys.tell(one)).toBe(false);
});

test('a key of the user’s own that root has is there once', () => {
  const [type = '', blob = ''] = readIdentity(layout).client.public.split(' ');
  roots = `${type} ${blob}`;
  expect(builderKeys(sources())).toHaveLength(1);
});

test('another key of the user’s is another set', () => {
  const before = keysVersion(sources());
  writeFileSync(layout.clientKey, 'another');
  expect(keysVersion(sources())).not.toBe(before);
});
