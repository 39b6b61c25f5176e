/** `vm` `auto` on this host: what is taken, what is learnt of a start that was lost, and what is kept. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { nativeSystem } from '../../src/domain/guest-system.ts';
import { plainly } from '../../src/system/advice.ts';
import { Exit, failureOf, type Failure } from '../../src/system/failure.ts';
import { readVerdicts, type Verdict } from '../../src/domain/verdicts.ts';
import { describeGain, gainOf } from '../../src/setup/configure/configure.ts';
import { checkConfig } from '../../src/config/config.ts';
import { betterThanKept, chooseVm, driverFor, factsOf } from '../../src/vm/choose-vm.ts';
import { keepChoice, vmLesson } from '../../src/vm/vm-lesson.ts';
import { failureOfStage } from '../../src/guest/console/boot.ts';
import { unreadable } from '../../src/supervisor/disk/disk.ts';
import { bootTimedOut, configInvalid } from '../../src/supervisor/health/child-failures.ts';
import { vmWouldRefuse } from '../../src/supervisor/start/prepare-start.ts';
import { programMissing } from '../../src/system/process/find-program.ts';
import { vfkitFailed } from '../../src/vm/vfkit/vfkit-control.ts';
import { explainVfkit } from '../../src/vm/vfkit/vfkit-exit.ts';
import { vmDrivers } from '../../src/vm/vm-drivers.ts';
import { forgetVm, keepVm, readKept } from '../../src/vm/kept-vm.ts';
import { needs } from '../needs.ts';
import { saying } from '../fakes/saying.ts';
import { removeTree } from '../remove-tree.ts';

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
afterEach(() => removeTree(dir));
const apple = { host: 'darwin-arm64', macos: '15.2' } as const;
const install = (...names: string[]) => {
  for (const name of names) writeFileSync(join(dir, 'bin', name), '', { mode: 0o755 });
};
const asked = (vm: 'auto' | 'qemu' | 'vfkit' = 'auto') =>
  ({
    config: { vm, system, cpus: 2, network: 'auto', accelerator: 'auto' },
    layout,
    path: join(dir, 'bin'),
    kvm: join(dir, 'kvm'),
  }) as const;
const vfkitSaid = (text: string) =>
  explainVfkit({ ended: { kind: 'exited', code: 1 }, output: [`Error: ${text}`], console: [] });
const stage = (name: string) => failureOfStage({ name, reason: '' });
/** As the code makes them. */
const made: Readonly<Record<string, Failure | undefined>> = {
  'vm-forbidden': vfkitSaid('it lacks com.apple.security.virtualization'),
  'vm-usage': vfkitSaid('unknown flag: --x'),
  'vm-network-away': vfkitSaid('no route to host'),
  'vm-limit': vfkitSaid('VZErrorDomain Code=6'),
  'vm-would-refuse': vmWouldRefuse('vfkit', []),
  'vm-error': vfkitFailed,
  'program-missing': programMissing('vfkit'),
  'boot-timed-out': bootTimedOut(180, 'init', []),
  'guest-disk-missing': stage('disk-missing'),
  'guest-disk-broken': stage('disk-broken'),
  'guest-network-missing': stage('network-missing'),
  'config-invalid': configInvalid([]),
  'disk-unreadable': unreadable('/disk', 'EACCES', 'permission denied'),
};
const failure = (kind: string): Failure => ({
  ...(made[kind] ?? { kind, hint: 'Look.', exit: Exit.unavailable }),
  message: 'It cannot.',
});
const at = '2026-01-01T00:00:00.000Z';
const old = { build: 'an old build', why: 'It could not.' };
let learnt: Verdict | undefined;
const lose = (kind: string, changes: object = {}) => {
  const lesson = vmLesson(failure(kind), {
    ...asked(),
    driver: vmDrivers.vfkit,
    at,
    attempt: 1,
    isMute: false,
    ...changes,
  });
  learnt = lesson.verdict;
  expect(failure(kind).kind).toBe(kind);
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
  expect(missing.message).toMatch(/qemu-system-\w+/);
  expect(driverFor(asked()).name).toBe('qemu');
});

test('on Linux it is QEMU, and says why', needs('Linux'), () => {
  install(qemu, 'vfkit', 'gvproxy');
  const { driver, why } = chooseVm(asked());
  expect(driver.name).toBe('qemu');
  expect(why).toMatch(/^QEMU .*\.$/);
  // KVM's device is not there.
  writeFileSync(join(dir, 'kvm'), '');
  expect(chooseVm(asked()).why).not.toBe(why);
});

// Behaviour 53: With `vm` set to `auto`, a program that does not work is replaced by the next one within the same
// start. A program that `vm` names is never replaced.
describe('what a lost start teaches', () => {
  test.each(['vm-forbidden', 'vm-usage', 'vm-would-refuse', 'program-missing'])(
    '%s: another one goes on, and it is not taken again',
    (kind) => {
      install(qemu);
      const told = lose(kind);
      expect(told.kind).toBe('vm-rejected');
      expect(told.message).toMatch(/^vfkit .* QEMU\. It cannot\.$/);
      expect(learnt).toMatchObject({ subject: 'vm', way: 'vfkit', why: 'It cannot.', at });
    },
  );
  test('what may pass is tried three times', () => {
    install(qemu);
    expect(lose('vm-error').kind).toBe('vm-error');
    expect(lose('vm-error', { attempt: 2 }).kind).toBe('vm-error');
    expect(lose('vm-error', { attempt: 3 }).kind).toBe('vm-rejected');
  });
  // Of a new builder, too, which has no program yet to go back to.
  test('what may pass and only a person can change is left at once, and where there is no other the daemon gives up', () => {
    const away = failure('vm-network-away');
    const lost = { ...asked(), driver: vmDrivers.vfkit, at, attempt: 1, isMute: false };
    expect(vmLesson(away, lost)).toEqual({ failure: away });
    install(qemu);
    const { failure: told, verdict } = vmLesson(away, lost);
    expect(told).toMatchObject({ kind: 'vm-rejected', recovery: 'other-way' });
    expect(verdict?.passes).toBe(true);
  });
  test('a boot that says nothing at all is the program; one that says something is not', () => {
    install(qemu);
    expect(lose('boot-timed-out').kind).toBe('boot-timed-out');
    expect(lose('boot-timed-out', { isMute: true }).kind).toBe('vm-rejected');
    // Nor is it for ever the guest.
    expect(lose('boot-timed-out', { attempt: 3 }).kind).toBe('vm-rejected');
  });
  test.each(['guest-disk-missing', 'guest-network-missing'])(
    '%s: the devices are the program’s',
    (kind) => {
      install(qemu);
      expect(lose(kind).kind).toBe('vm-rejected');
      expect(learnt?.passes).toBe(true);
    },
  );
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
    rmSync(layout.vmRecord);
    mkdirSync(layout.vmRecord);
    expect(() => keepVm(layout, 'vfkit')).not.toThrow();
    removeTree(layout.state);
    expect(() => keepVm(layout, 'vfkit')).not.toThrow();
  });
  test('says with which build a better one failed, and another build is tried', () => {
    keepVm(layout, 'qemu', { vfkit: old, hyperkit: { build: 'ENOENT' } });
    expect(readKept(layout)).toEqual({
      vm: 'qemu',
      failed: { vfkit: old, hyperkit: { build: 'ENOENT' } },
    });
    expect(readFileSync(layout.vmRecord, 'utf8')).toContain('"vfkit":"an old build"');
    install(qemu, 'vfkit', 'gvproxy');
    expect(factsOf(asked()).changed).toEqual(['hyperkit', 'vfkit']);
    // Its guest got ready with a program that was chosen by name: what failed before is not forgotten by that.
    keepChoice(asked('qemu'), 'qemu');
    expect(Object.keys(readKept(layout).failed)).toEqual(['vfkit', 'hyperkit']);
    // One that got ready has failed no longer.
    keepChoice(asked('vfkit'), 'vfkit');
    expect(readKept(layout)).toEqual({ vm: 'vfkit', failed: { hyperkit: { build: 'ENOENT' } } });
  });
  test.each(['{"vm":"qemu","failed":3}', '{"vm":"qemu","failed":{"vfkit":3}}'])(
    'a record of %s has no failed one',
    (text) => {
      writeFileSync(layout.vmRecord, text);
      expect(readKept(layout)).toEqual({ vm: 'qemu', failed: {} });
    },
  );
});

// Behaviour 54: A better program that failed is tried again once after each upgrade of that program or of the system,
// and, if its failure was temporary, once after each reboot. This happens only in starts that take place anyway; if
// the better program fails again, the builder continues with the one that it used before.
describe('never back and forth', () => {
  const arm64 = () => ({
    ...asked(),
    config: { ...asked().config, system: 'aarch64-linux' } as const,
    host: apple,
  });
  const taken = (known: readonly Verdict[] = []) => chooseVm({ ...arm64(), known }).driver.name;
  const fails = (kind = 'vm-forbidden', attempt = 1, rest: Partial<Failure> = {}) => {
    const lost = { ...arm64(), driver: vmDrivers.vfkit, at, attempt, isMute: false };
    const { failure: told, verdict } = vmLesson({ ...failure(kind), ...rest }, lost);
    expect(told.kind).toBe('vm-rejected');
    return verdict === undefined ? [] : [verdict];
  };
  const upgrade = (text: string) => writeFileSync(join(dir, 'bin/vfkit'), text, { mode: 0o755 });
  beforeEach(() => install('qemu-system-aarch64', 'vfkit', 'gvproxy'));

  test.each([
    ['vm-forbidden', 1],
    ['boot-timed-out', 3],
  ])('a better one that fails again is left until it changes: %s', (kind, attempt) => {
    expect(taken()).toBe('vfkit');
    const known = fails(kind, attempt);
    expect(taken(known)).toBe('qemu');
    keepChoice({ ...arm64(), known }, 'qemu');
    // The host boots again: its verdicts are gone, the program is the same.
    expect(taken()).toBe('qemu');
    upgrade('a newer one');
    expect(taken()).toBe('vfkit');
    const again = fails(kind, attempt);
    expect(taken(again)).toBe('qemu');
    keepChoice({ ...arm64(), known: again }, 'qemu');
    expect(taken()).toBe('qemu');
    // And when it serves it is kept.
    upgrade('the newest one');
    expect(taken()).toBe('vfkit');
    keepChoice(arm64(), 'vfkit');
    expect(readKept(layout)).toEqual({ vm: 'vfkit', failed: {} });
  });

  test('it is left until the system below it changes, too', () => {
    keepChoice({ ...arm64(), osBuild: '24.3.0 24D60', known: fails() }, 'qemu');
    const on = (osBuild: string) => chooseVm({ ...arm64(), osBuild, known: [] });
    expect(on('24.3.0 24D60').driver.name).toBe('qemu');
    // An update that left the kernel as it was.
    expect(on('24.3.0 24D70').driver.name).toBe('vfkit');
    keepChoice({ ...arm64(), osBuild: '24.3.0 24D70', known: fails() }, 'qemu');
    expect(on('24.3.0 24D70').driver.name).toBe('qemu');
  });

  test('why is told as long as it is left', () => {
    const known = fails();
    keepChoice({ ...arm64(), known }, 'qemu');
    const sentence = /^vfkit: It cannot\. This is remembered until an upgrade/;
    for (const each of [known, []])
      expect(chooseVm({ ...arm64(), known: each }).rejected).toEqual([saying(sentence)]);
    // Where it is taken there is nothing to tell.
    upgrade('a newer one');
    expect(chooseVm({ ...arm64(), known: [] }).rejected).toEqual([]);
  });

  test.each([
    ['guest-panicked', 3, { blames: 'image' }],
    ['qmp-silent', 3, {}],
    ['what-nobody-knows', 1, { recovery: 'give-up' }],
  ] as const)('whatever takes it down, the one that worked is taken: %s', (kind, attempt, rest) => {
    // Nothing is known that works: then it is not the program's.
    const lost = { ...arm64(), driver: vmDrivers.vfkit, at, attempt, isMute: false };
    expect(vmLesson({ ...failure(kind), ...rest }, lost).verdict).toBeUndefined();
    keepVm(layout, 'qemu', { vfkit: old });
    expect(taken()).toBe('vfkit');
    expect(taken(fails(kind, attempt, rest))).toBe('qemu');
  });

  test.each([
    ['config-invalid', { exit: Exit.config }],
    ['disk-unreadable', {}],
    ['seed-too-large', { blames: 'image' }],
  ] as const)('but not for what no program changes: %s', (kind, rest) => {
    keepVm(layout, 'qemu', { vfkit: old });
    const lost = { ...arm64(), driver: vmDrivers.vfkit, at, attempt: 1, isMute: false };
    const lesson = vmLesson({ ...failure(kind), recovery: 'give-up', ...rest }, lost);
    expect(lesson.failure.kind).toBe(kind);
  });

  test.each(['', 'vfkit', 'qemu'])('a trouble that may pass changes nothing kept: %s', (kept) => {
    const before = kept === 'qemu' ? { vfkit: old } : {};
    if (kept !== '') keepVm(layout, kept, before);
    expect(taken()).toBe('vfkit');
    const known = fails('vm-limit', 3);
    expect(taken(known)).toBe('qemu');
    writeFileSync(layout.disk, 'data');
    keepChoice({ ...arm64(), known }, 'qemu');
    expect(readKept(layout)).toEqual({ vm: kept, failed: before });
    expect(taken(known)).toBe('qemu');
    // The host boots again.
    expect(taken()).toBe('vfkit');
  });
});

// Behaviour 55: If a builder keeps its program although a better one is installed that has not failed here,
// `configure` says what switching would gain, but does not switch.
test('what would be gained is said of a builder that keeps its program, and only then', () => {
  const host = { arch: 'arm64', platform: 'darwin', cpus: 8, memoryMiB: 16_384 } as const;
  const room = { diskGiB: 200, diskFreeGiB: 90 };
  const gain = (json: object = {}) => {
    const parsed = checkConfig(json, { ...host, ...room });
    if (!parsed.ok) throw new Error('no config');
    const { config } = parsed;
    const better = betterThanKept({ config, layout, path: join(dir, 'bin'), host: apple });
    return better === undefined ? '' : plainly(describeGain(better));
  };
  install('qemu-system-aarch64', 'vfkit', 'gvproxy');
  // A new one has all of them before it.
  expect(gain()).toBe('');
  writeFileSync(layout.disk, 'data');
  expect(gain()).toMatch(
    /keeps using QEMU.*vfkit is installed too.*Virtualization.framework.*--vm vfkit/,
  );
  expect(gain({ vm: 'qemu' })).toBe('');
  keepVm(layout, 'vfkit');
  expect(gain()).toBe('');
  // What failed is no gain; and one that has changed since is tried by the next start.
  keepVm(layout, 'qemu', { vfkit: old });
  expect(gain()).toBe('');
  keepVm(layout, 'qemu');
  expect(gain()).toContain('keeps using QEMU');
});

// Behaviour 56: `configure` does not recommend a program that could not run this builder because of the program's
// version or the state directory's path. `up` does not count such a program among those that can run the guest.
test.each([
  ['is too old', '0.5.1', ''],
  ['would misread the state directory', '0.6.4', 'a b'],
])('a program that %s is no gain, of which configure asks it', async (_, version, folder) => {
  install('qemu-system-aarch64', 'gvproxy');
  const ask = async (says: string, root: string) => {
    const path = join(dir, 'bin', 'vfkit');
    writeFileSync(path, `#!/bin/sh\necho 'vfkit version: v${says}'\n`, { mode: 0o755 });
    const here = { ...asked(), layout: layoutOf(root), host: apple };
    mkdirSync(here.layout.state, { recursive: true });
    writeFileSync(here.layout.disk, 'data');
    const config = { ...here.config, system: 'aarch64-linux' } as const;
    const { signal } = new AbortController();
    return (await gainOf({ ...here, config }, { signal }))?.better;
  };
  expect(await ask('0.6.4', layout.root)).toBe('vfkit');
  expect(await ask(version, folder === '' ? layout.root : join(dir, folder))).toBeUndefined();
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}
