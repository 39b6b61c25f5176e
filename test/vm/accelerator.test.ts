import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkConfig, type Config } from '../../src/config/config.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { nativeSystem, systemNames } from '../../src/config/system.ts';
import { systemClock } from '../../src/system/clock.ts';
import { Exit, type Failure } from '../../src/system/failure.ts';
import { tryKernelLock } from '../../src/system/lock.ts';
import { chooseAccelerator, learn } from '../../src/vm/accelerator.ts';
import { bundleAt } from '../../src/vm/bundle.ts';

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'accel-')));
  mkdirSync(layout.state);
});
afterEach(() => rmSync(layout.root, { recursive: true, force: true }));

const config = (accelerator: string, system?: string): Config => {
  const host = {
    arch: 'x64',
    platform: 'linux',
    cpus: 4,
    memoryMiB: 16_384,
    diskGiB: 200,
    diskFreeGiB: 90,
  } as const;
  const parsed = checkConfig({ accelerator, ...(system && { system }) }, host);
  if (!parsed.ok) throw new Error('no config');
  return parsed.config;
};
const broken: Failure = {
  kind: 'accelerator-broken',
  message: 'It aborts.',
  hint: '',
  exit: Exit.unavailable,
};
/** A VM program that says nothing and stays, aborts, or speaks, as its first argument's file says. */
const program = (script: string): string => {
  const path = join(layout.root, 'vm');
  const text = `#!/bin/sh\n${script}\n`;
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text)
    writeFileSync(path, text, { mode: 0o755 });
  return path;
};
const choose = (script: string, accelerator = 'auto', system?: string, kvm?: string) =>
  chooseAccelerator(
    {
      config: config(accelerator, system),
      program: program(script),
      bundle: bundleAt(join(layout.root, 'x')),
      ...{ layout, ...(kvm === undefined ? {} : { kvm }) },
    },
    systemClock,
    new AbortController().signal,
  );

// Behaviour 11: An accelerator is chosen by trial, and the verdict holds for one boot of the host, one version of the VM
// program, and as long as KVM's device can be opened or cannot; one that breaks later is followed by the next.
describe.runIf(process.platform === 'linux' && process.getuid?.() === 0)('a trial', () => {
  test('takes an accelerator whose guest gives a sign of life, and remembers it', async () => {
    const speaks =
      'for a; do case $a in file,*) p=${a#*path=}; echo Linux >> "${p%%,*}";; esac; done; exec sleep 1000';
    expect(await choose(speaks)).toEqual({ accelerator: 'kvm', rejected: [], tried: true });
    expect(await choose(speaks)).toEqual({ accelerator: 'kvm', rejected: [], tried: false });
  });

  test('is made again when the program is another one', async () => {
    expect(await choose('exit 1')).toMatchObject({ accelerator: 'tcg', tried: true });
    expect(await choose('exit 1')).toMatchObject({ accelerator: 'tcg', tried: false });
    expect(await choose('exit 12')).toMatchObject({ accelerator: 'tcg', tried: true });
  });

  test('teaches nothing while another one has its lock', async () => {
    const failure = { kind: 'child-lock-held' };
    const lock = tryKernelLock(layout.trialLock);
    try {
      await expect(choose('exit 1')).rejects.toMatchObject({ failure });
    } finally {
      lock?.release();
    }
    // It was taken in between: its end says so.
    await expect(choose('exit 75')).rejects.toMatchObject({ failure });
    expect(existsSync(layout.accelerators)).toBe(false);
    expect(await choose('exit 1')).toMatchObject({ accelerator: 'tcg', tried: true });
  });

  test('rejects one that aborts, with its words', async () => {
    const choice = await choose('echo "cannot do this" >&2; exit 134');
    expect(choice).toEqual({
      accelerator: 'tcg',
      rejected: ['kvm: it ended at once: cannot do this'],
      tried: true,
    });
  });
});

test.runIf(process.platform === 'linux')(
  'a device that can be opened now is tried: whoever is let in need not boot the host again',
  async () => {
    const native = nativeSystem(process.arch);
    const kvm = join(layout.root, 'kvm');
    const take = () => choose('exit 1', 'auto', native, kvm);
    const shut = { accelerator: 'tcg', rejected: [`kvm: ${kvm} cannot be opened by this user`] };
    expect(await take()).toEqual({ ...shut, tried: true });
    expect(await take()).toEqual({ ...shut, tried: false });
    writeFileSync(kvm, '');
    const tried = { accelerator: 'tcg', rejected: ['kvm: it ended at once: '] };
    expect(await take()).toEqual({ ...tried, tried: true });
    expect(await take()).toEqual({ ...tried, tried: false });
  },
);

test('a guest of another system is emulated, without a trial of what cannot run it', async () => {
  const foreign = systemNames.find((name) => name !== nativeSystem(process.arch));
  const choice = { accelerator: 'tcg', rejected: [] };
  expect(await choose('exit 134', 'auto', foreign)).toEqual({ ...choice, tried: true });
  expect(await choose('exit 134', 'auto', foreign)).toEqual({ ...choice, tried: false });
});

test('a forced one is not tried', async () =>
  expect(await choose('exit 1', 'tcg')).toEqual({
    accelerator: 'tcg',
    rejected: [],
    tried: false,
  }));

describe('what an end teaches', () => {
  test('one that broke is followed by the next', () => {
    writeFileSync(
      layout.accelerators,
      JSON.stringify({ key: 'k', accelerator: 'kvm', rejected: [] }),
    );
    learn(broken, { layout, config: config('auto') });
    expect(JSON.parse(readFileSync(layout.accelerators, 'utf8'))).toEqual({
      key: 'k',
      accelerator: 'tcg',
      rejected: ['kvm: It aborts.'],
    });
  });

  test('what cannot be written is not learnt, and breaks nothing', () => {
    // Can be read, but has no room in its name for that of the file that would take its place.
    const accelerators = join(layout.state, 'a'.repeat(255));
    const record = '{"key":"k","accelerator":"kvm","rejected":[]}';
    writeFileSync(accelerators, record);
    const where = { layout: { ...layout, accelerators }, config: config('auto') };
    expect(learn(broken, where)).toBe(broken);
    expect(readFileSync(accelerators, 'utf8')).toBe(record);
  });

  test('a forced one is not tried again', () =>
    expect(learn(broken, { layout, config: config('kvm') }).kind).toBe('accelerator-unusable'));

  test.each(['', '{', '{"key":"k","accelerator":"xen","rejected":[]}', '[]'])(
    'a record of %j teaches nothing and breaks nothing',
    (text) => {
      writeFileSync(layout.accelerators, text);
      expect(learn(broken, { layout, config: config('auto') })).toBe(broken);
    },
  );

  test('any other failure is left as it is', () => {
    const other = { ...broken, kind: 'vm-exited' };
    expect(learn(other, { layout, config: config('auto') })).toBe(other);
  });
});
