import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import {
  exposureOf,
  describeExposure,
  recordBlank,
  recordGuest,
  recordKept,
} from '../../src/supervisor/disk/disk-record.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { judgeNix } from '../../src/supervisor/start/guest-nix.ts';
import { plainly } from '../../src/system/advice.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
beforeEach(() => (layout = layoutOf(mkdtempSync(join(tmpdir(), 'disk-record-')))));
afterEach(() => removeTree(layout.root));

const at = '2026-11-28T00:00:00.000Z';
const guest = (nix: string) => {
  const said: string[] = [];
  const facts = judgeNix(
    nix,
    { prefix: '/p' },
    { layout, clock: new FakeClock(Date.parse(at)), log: (_, event) => said.push(event) },
  );
  return { facts, said };
};

// Behaviour 160: If a guest whose Nix lets a build become root, as some old versions do, has used the disk, the owner
// is warned until `disk reset` starts a new disk or `disk keep` accepts this one. The guest is asked for the version
// of its Nix each time it becomes ready.
test('a disk that was blank and has had no such guest is nothing to tell of', () => {
  recordBlank(layout);
  expect(guest('2.34.8')).toEqual({ facts: { nixVersion: '2.34.8' }, said: [] });
  expect(exposureOf(layout)).toBeUndefined();
});

test('one that such a guest has had is told of, whatever guest has it now, until it shall be kept', () => {
  recordBlank(layout);
  const old = { why: 'its Nix 2.26.3 lets builds become root in the guest (CVE-2026-39860)' };
  expect(guest('2.26.3')).toEqual({
    facts: {
      nixVersion: '2.26.3',
      diskExposed: { at, nix: '2.26.3' },
      image: { prefix: '/p', old },
    },
    said: ['nix-lets-builds-out', 'disk-exposed'],
  });
  expect(guest('2.34.8')).toEqual({
    facts: { nixVersion: '2.34.8', diskExposed: { at, nix: '2.26.3' } },
    said: [],
  });
  expect(plainly(describeExposure({ at, nix: '2.26.3' }))).toContain('linuxkit-builder disk reset');
  recordKept(layout);
  expect(guest('2.34.8').facts).toEqual({ nixVersion: '2.34.8' });
  // What comes later is another matter, and yet no news: it was kept as it is.
  expect(guest('2.26.3').said).toEqual(['nix-lets-builds-out']);
});

test.each([undefined, '', '{', '{"version":2}'])(
  'one of a release that kept no record (%j) is taken to have had such a guest',
  (text) => {
    if (text !== undefined) writeFileSync(layout.diskRecord, text);
    expect(guest('2.34.8').said).toEqual(['disk-exposed']);
    expect(exposureOf(layout)).toEqual({ at });
    expect(plainly(describeExposure({ at }))).not.toContain('Nix undefined');
  },
);

test('a guest that does not tell its Nix changes nothing of a blank disk', () => {
  recordBlank(layout);
  expect(recordGuest(layout, { nix: undefined, letsOut: false, at })).toBe(false);
  expect(exposureOf(layout)).toBeUndefined();
});
