/** `vm` `auto` on this host: what is taken, what is learnt of a start that was lost, and what is kept. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { nativeSystem } from '../../src/config/system.ts';
import { Exit, failureOf, type Failure } from '../../src/system/failure.ts';
import { readVerdicts, type Verdict } from '../../src/system/verdicts.ts';
import {
  chooseVm,
  driverFor,
  factsOf,
  forgetVm,
  keepVm,
  vmLesson,
} from '../../src/vm/choose-vm.ts';
import { vmDrivers } from '../../src/vm/drivers.ts';

let dir = '';
let layout: Layout;
const system = nativeSystem(process.arch);
const qemu = vmDrivers.qemu.program({ system });
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'choose-'));
  layout = layoutOf(join(dir, 's'));
  mkdirSync(layout.state, { recursive: true });
  mkdirSync(join(dir, 'bin'));
});
afterEach(() => rmSync(dir, { recursive: true }));
const install = (...names: string[]) => {
  for (const name of names) writeFileSync(join(dir, 'bin', name), '', { mode: 0o755 });
};
const asked = (vm: 'auto' | 'qemu' | 'vfkit' = 'auto') =>
  ({
    config: { vm, system, cpus: 2, network: 'auto', accelerator: 'auto' },
    ...{ layout, path: join(dir, 'bin'), kvm: join(dir, 'kvm') },
  }) as const;
const failure = (kind: string): Failure => ({
  ...{ kind, message: 'It cannot.', hint: 'Look.', exit: Exit.unavailable },
});
const at = '2026-01-01T00:00:00.000Z';
let learnt: Verdict | undefined;
const lose = (kind: string, changes: object = {}) => {
  const lesson = vmLesson(failure(kind), {
    ...{ ...asked(), driver: vmDrivers.vfkit, at, attempt: 1, isMute: false },
    ...changes,
  });
  learnt = lesson.verdict;
  // Nothing is written while it is judged.
  expect(readVerdicts(layout.verdicts)).toEqual([]);
  return lesson.failure;
};

test('a forced choice is never changed, and nothing is learnt of it', () => {
  expect(chooseVm(asked('vfkit'))).toMatchObject({ driver: vmDrivers.vfkit, rejected: [] });
  install(qemu);
  expect(lose('vm-forbidden', asked('vfkit'))).toEqual(failure('vm-forbidden'));
  expect(learnt).toBeUndefined();
});

test('where nothing can be had, each program has a reason', () => {
  const missing = failureOf(thrownBy(() => chooseVm(asked())));
  expect(missing.kind).toBe('program-missing');
  expect(missing.message).toMatch(/qemu is not installed/);
  expect(driverFor(asked()).name).toBe('qemu');
});

test.runIf(process.platform === 'linux')('on Linux it is QEMU, and says why', () => {
  install(qemu, 'vfkit', 'gvproxy');
  const { driver, why } = chooseVm(asked());
  expect(driver.name).toBe('qemu');
  expect(why).toMatch(/^QEMU .*\.$/);
  // KVM's device is not there.
  writeFileSync(join(dir, 'kvm'), '');
  expect(chooseVm(asked()).why).toContain('by the processor itself');
});

// Behaviour 118: With `vm` `auto` a program that cannot serve is left for the next one within the same start, and a
// program that was chosen by its name is never changed.
describe('what a lost start teaches', () => {
  test.each(['vm-forbidden', 'vm-usage', 'vm-would-refuse', 'program-missing'])(
    '%s: another one goes on, and it is not taken again',
    (kind) => {
      install(qemu);
      const told = lose(kind);
      expect(told.kind).toBe('vm-rejected');
      expect(told.message).toBe(
        'vfkit does not run the guest here, so this start goes on with QEMU. It cannot.',
      );
      expect(learnt).toMatchObject({ subject: 'vm', way: 'vfkit', why: 'It cannot.', at });
    },
  );
  test('what may pass is tried three times', () => {
    install(qemu);
    expect(lose('vm-error').kind).toBe('vm-error');
    expect(lose('vm-error', { attempt: 2 }).kind).toBe('vm-error');
    expect(lose('vm-error', { attempt: 3 }).kind).toBe('vm-rejected');
  });
  test('a boot that says nothing at all is the program; one that says something is not', () => {
    install(qemu);
    expect(lose('boot-timed-out').kind).toBe('boot-timed-out');
    expect(lose('boot-timed-out', { isMute: true }).kind).toBe('vm-rejected');
  });
  test.each(['guest-disk-broken', 'image-truncated', 'disk-not-ours', 'config-invalid'])(
    '%s says nothing of the program',
    (kind) => {
      install(qemu);
      expect(lose(kind).kind).toBe(kind);
    },
  );
  test('where there is no other one, it stays as it was', () => {
    expect(lose('vm-forbidden').kind).toBe('vm-forbidden');
    install(qemu);
    expect(lose('vm-forbidden', { driver: vmDrivers.qemu }).kind).toBe('vm-forbidden');
  });
});

describe('the program of a builder that is there', () => {
  test('is the one that its guest was ready with', () => {
    expect(factsOf(asked()).kept).toBeUndefined();
    keepVm(layout, 'vfkit');
    expect(factsOf(asked()).kept).toBe('vfkit');
    forgetVm(layout);
    expect(factsOf(asked()).kept).toBe('');
  });
  test('is QEMU where a disk has no record, and a record of nonsense is none', () => {
    writeFileSync(layout.disk, 'data');
    expect(factsOf(asked()).kept).toBe('qemu');
    for (const text of ['', '{', '[]', 'null', '{"vm":3}']) {
      writeFileSync(layout.vmRecord, text);
      expect(factsOf(asked()).kept).toBeUndefined();
    }
  });
  test('is written once, and a record that cannot be written breaks nothing', () => {
    keepVm(layout, 'qemu');
    expect(readFileSync(layout.vmRecord, 'utf8')).toBe('{"vm":"qemu"}\n');
    rmSync(layout.state, { recursive: true });
    expect(() => keepVm(layout, 'vfkit')).not.toThrow();
  });
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}
