import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import {
  noteBegun,
  noteFailure,
  noteSuccess,
  readTrial,
} from '../../src/supervisor/suspend/suspend-trial.ts';
import { identify } from '../../src/system/process/process.ts';
import { keepVerdict } from '../../src/domain/verdicts.ts';
import { keepVm } from '../../src/vm/kept-vm.ts';
import { clearedWords, nothingTried } from '../../src/cli/inspect/verdicts-command.ts';
import { ready } from '../messages/command-rig.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'verdicts-')));
  mkdirSync(layout.state);
});
afterEach(() => removeTree(layout.root));

async function verdicts(...argv: string[]) {
  const out: string[] = [];
  const { root } = layout;
  const world = {
    env: { LINUXKIT_BUILDER_DIR: root },
    home: root,
    assets: root,
    isTTY: false,
    clock: systemClock,
    signal: new AbortController().signal,
    out: (line: string) => void out.push(line),
    err: (line: string) => void out.push(line),
    onStopSignal: () => undefined,
  };
  const code = await run(['verdicts', ...argv], world, '0');
  expect(code).toBe(0);
  return out;
}

const at = '2026-01-02T03:04:05.000Z';
function findSome(): void {
  const basis = 'a program';
  const kept = [
    { subject: 'accelerator', way: 'kvm', basis, at, why: 'It aborts.', remedy: 'Mend it.' },
    { subject: 'accelerator', way: 'hvf', basis, at },
    { subject: 'vm', way: 'vfkit', basis, at, why: 'It is not signed.' },
  ] as const;
  for (const verdict of kept) expect(keepVerdict(verdict, layout.verdicts)).toBe(true);
  const record = { image: 'i', at, message: 'It did not get ready.' };
  writeFileSync(layout.imageRejected, JSON.stringify(record));
}

// Behaviour 58: The daemon records each failure of an accelerator, a network program, a VM program or an image, with
// a reason and an expiry, such as the next reboot. `verdicts --clear` deletes these records.
test('each is told with its reason and its end', async () => {
  findSome();
  expect(await verdicts()).toEqual([
    `accelerator kvm: does not work (found ${at}; valid until this machine reboots)`,
    '  It aborts.',
    '  Mend it.',
    `accelerator hvf: works (found ${at}; valid until this machine reboots)`,
    `vm vfkit: does not work (found ${at}; valid until this machine reboots)`,
    '  It is not signed.',
    `image newest: does not work (found ${at}; valid until the next image build)`,
    '  It did not get ready.',
  ]);
  const [json = ''] = await verdicts('--json');
  const shown = JSON.parse(json) as { verdicts: { works: boolean }[] };
  expect(shown).toMatchObject({ version: 1, cleared: false });
  expect(shown.verdicts.map(({ works }) => works)).toEqual([false, true, false, false]);
});

test('a program that was left for good is told of after a reboot, too, and once', async () => {
  keepVm(layout, 'qemu', { vfkit: { build: 'b', why: 'It is not signed.' } });
  const tells = async () => (await verdicts()).map((line) => line.replace(/found \S+;/, 'found;'));
  const told = [
    'vm vfkit: does not work (found; valid until the VM program is updated)',
    '  It is not signed.',
  ];
  expect(await tells()).toEqual(told);
  const vm = { subject: 'vm', way: 'vfkit', basis: 'b', at, why: 'It is not signed.' } as const;
  keepVerdict(vm, layout.verdicts);
  expect(await tells()).toEqual(told);
  expect((await verdicts('--clear')).join()).toMatch(/^Forgotten: vm vfkit\./);
  expect(await verdicts()).toEqual([nothingTried]);
});

test('an image is told of once, whichever release has written it', async () => {
  findSome();
  const why = 'It panicked.';
  const image = { subject: 'image', way: 'newest', basis: 'i', at, why } as const;
  keepVerdict({ ...image, holdsUntil: 'image-build' }, layout.verdicts);
  expect((await verdicts()).slice(-2)).toEqual([
    `image newest: does not work (found ${at}; valid until the next image build)`,
    '  It panicked.',
  ]);
});

test('all are forgotten, and what was held against which is said', async () => {
  findSome();
  expect(await verdicts('--clear')).toEqual([
    'Forgotten: accelerator kvm, vm vfkit, image newest. The next start will try again. To try now: linuxkit-builder restart',
  ]);
  for (const path of [layout.verdicts, layout.imageRejected]) expect(existsSync(path)).toBe(false);
  expect(await verdicts()).toEqual([nothingTried]);
  expect(await verdicts('--clear')).toEqual([clearedWords([])]);
});

test('whether a guest goes on from a file is told, and forgotten, with the rest', async () => {
  const tells = async () => (await verdicts()).map((line) => line.replace(/found \S+;/, 'found;'));
  const fail = (message: string) =>
    noteFailure(layout, 'a build', { suspendFault: true, message }, Date.now());
  fail('It broke.');
  expect(await verdicts()).toEqual([nothingTried]);
  noteSuccess(layout, 'a build');
  const until = 'valid until the VM program is updated';
  expect(await tells()).toEqual([`suspend file: works (found; ${until})`]);
  for (const why of ['It broke.', 'It broke again.']) fail(why);
  expect(await tells()).toEqual([
    'suspend file: does not work (found; valid for a day)',
    '  It broke again.',
  ]);
  // By then it is not held against it any more.
  const { at: then, ...trial } = readTrial(layout) ?? {};
  const dayBefore = new Date(Date.parse(then ?? '') - 25 * 3_600_000).toISOString();
  writeFileSync(layout.suspendTrial, JSON.stringify({ ...trial, at: dayBefore }));
  expect(await tells()).toEqual([`suspend file: works (found; ${until})`]);
  for (const why of ['It broke.', 'It broke again.']) fail(why);
  expect((await verdicts('--clear')).join()).toMatch(/^Forgotten: suspend file\./);
  expect(await verdicts()).toEqual([nothingTried]);
});

test('a trial that is under way has not failed, unless its daemon is gone', async () => {
  noteFailure(layout, 'a build', { suspendFault: true, message: 'It broke.' }, Date.now());
  noteBegun(layout, 'a build');
  const daemon = identify(process.pid);
  const why = 'It broke.';
  const tells = async (status: object) => {
    writeFileSync(layout.status, JSON.stringify({ ...ready, daemon, ...status }));
    return (await verdicts()).length;
  };
  expect(await tells({})).toBe(1);
  expect(await verdicts()).toEqual([nothingTried]);
  // One that was begun by the daemon before has.
  expect(await tells({ suspendGivenUp: { why } })).toBe(2);
  expect(await tells({ daemon: { ...daemon, started: 'earlier' } })).toBe(2);
});
