import { mkdirSync, mkdtempSync, readdirSync, renameSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openForward } from '../../src/guest/login/one-shot-forward.ts';
import { removeTree } from '../remove-tree.ts';

const tunnel = { kind: 'unix', path: '/nobody', hello: '', answer: '' } as const;

test('its folder goes with the login; one that cannot be removed ends nobody', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'forward-'));
  try {
    const [place, moved] = [join(dir, 'place'), join(dir, 'moved')];
    mkdirSync(place);
    const first = new AbortController();
    await openForward(tunnel, [place], first.signal);
    expect(readdirSync(place)).toHaveLength(1);
    first.abort();
    expect(readdirSync(place)).toEqual([]);
    const second = new AbortController();
    await openForward(tunnel, [place], second.signal);
    renameSync(place, moved);
    // A loop: even to look there is an error.
    symlinkSync(place, place);
    second.abort();
    // What a listener throws comes as an uncaught exception, which fails this run.
    await new Promise((resolve) => setImmediate(resolve));
    expect(readdirSync(moved)).toHaveLength(1);
  } finally {
    removeTree(dir);
  }
});
