import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkConfig, type Config } from '../../src/config/config.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { nativeSystem, systemNames } from '../../src/domain/guest-system.ts';
import { plainly } from '../../src/system/advice.ts';
import { systemClock, type Clock } from '../../src/system/time/clock.ts';
import { Exit, type Failure } from '../../src/system/failure.ts';
import { tryKernelLock } from '../../src/system/lock/lock.ts';
import { clearVerdicts, keepVerdict, readVerdicts, Verdicts } from '../../src/domain/verdicts.ts';
import {
  acceleratorLesson,
  chooseAccelerator,
  likelyAccelerator,
} from '../../src/vm/accelerator.ts';
import { bundleAt } from '../../src/vm/boot-image.ts';
import { trialLine } from '../../src/vm/qemu/trial-init.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { needs } from '../needs.ts';
import { saying } from '../fakes/saying.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'accel-')));
  mkdirSync(layout.state);
});
afterEach(() => removeTree(layout.root));

const config = (accelerator: string, system?: string, memoryMiB = 2048): Config => {
  const host = {
    arch: 'x64',
    platform: 'linux',
    cpus: 4,
    memoryMiB: 16_384,
    diskGiB: 200,
    diskFreeGiB: 90,
  } as const;
  const parsed = checkConfig({ accelerator, memoryMiB, ...(system && { system }) }, host);
  if (!parsed.ok) throw new Error('no config');
  return parsed.config;
};
const broken: Failure = {
  kind: 'accelerator-broken',
  message: 'It aborts.',
  hint: '',
  exit: Exit.unavailable,
};
/** A VM program that is this shell script. */
const program = (script: string): string => {
  const path = join(layout.root, 'vm');
  const text = `#!/bin/sh\n${script}\n`;
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text)
    writeFileSync(path, text, { mode: 0o755 });
  return path;
};
/** Its guest says these lines on the console, and it stays. */
const says = (...lines: string[]) =>
  `for a; do case $a in file,*) p=\${a#*path=}; p=\${p%%,*};; esac; done; printf '%s\\n' ${lines.map((line) => `'${line}'`).join(' ')} >>"$p"; exec sleep 1000`;
const works = says('Linux version 6', trialLine);

const native = nativeSystem(process.arch);
/** A device that any user can open: none of it is needed for a program that is a script. */
const device = (): string => {
  const kvm = join(layout.root, 'kvm');
  writeFileSync(kvm, '');
  return kvm;
};
interface Wish {
  readonly accelerator?: string;
  readonly system?: string | undefined;
  readonly kvm?: string;
  readonly memoryMiB?: number;
}
const inputOf = (script: string, { accelerator = 'auto', system = native, ...wish }: Wish) => ({
  config: config(accelerator, system, wish.memoryMiB),
  program: program(script),
  bundle: bundleAt(join(layout.root, 'x')),
  layout,
  kvm: wish.kvm ?? device(),
});
const never = new AbortController().signal;
const choose = (script: string, wish: Wish = {}, clock: Clock = systemClock) =>
  chooseAccelerator(inputOf(script, wish), clock, never);
const sentenceOf = async (script: string): Promise<string> => {
  const { rejected } = await choose(script);
  expect(rejected).toHaveLength(1);
  return plainly(rejected[0] ?? '');
};
const holds =
  'This is remembered until the next reboot. Once you have fixed the cause, run linuxkit-builder verdicts --clear.';

// Behaviour 40: An accelerator (KVM on Linux, hvf on a Mac, or emulation) is chosen by trial: with the memory and CPUs
// that the start will use, it must boot the guest's own kernel until the first program in the guest prints a line. A
// slow accelerator does not count as broken: a trial fails only after 5 s without output, or after 60 s in all.
describe('a trial', needs('Linux'), () => {
  test('takes an accelerator whose guest gets to its first program, and remembers it', async () => {
    const choice = { accelerator: 'kvm', rejected: [] };
    expect(await choose(works)).toEqual({ ...choice, tried: true });
    expect(await choose(works)).toEqual({ ...choice, tried: false });
  });

  test('is made again for another kernel, memory or program', async () => {
    await choose(works);
    expect(await choose(works, { memoryMiB: 4096 })).toMatchObject({ tried: true });
    writeFileSync(bundleAt(join(layout.root, 'x')).kernel, 'another');
    expect(await choose(works)).toMatchObject({ tried: true });
    expect(await choose(`: ; ${works}`)).toMatchObject({ tried: true });
  });

  test('what does not work is not tried again for another kernel or memory, only by another program', async () => {
    expect(await choose('exit 1')).toMatchObject({ accelerator: 'tcg', tried: true });
    writeFileSync(bundleAt(join(layout.root, 'x')).kernel, 'another');
    const wish = { memoryMiB: 4096 };
    expect(await choose('exit 1', wish)).toMatchObject({ accelerator: 'tcg', tried: false });
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
    expect(existsSync(layout.verdicts)).toBe(false);
    expect(await choose('exit 1')).toMatchObject({ accelerator: 'tcg', tried: true });
  });

  test('leaves no file but the verdict', async () => {
    await choose(works);
    expect(readdirSync(layout.state).sort()).toEqual(['trial.lock', 'verdicts.json']);
  });

  test('rejects one that aborts, with its words', async () => {
    const words = 'error: failed to set MSR 0x10a to 0x2a08ad9c5';
    expect(await sentenceOf(`echo '${words}' >&2; kill -ABRT $$`)).toMatch(
      new RegExp(`^kvm: .*: ${words}\\. `),
    );
  });

  test.each([
    ['host-out-of-memory', 'cannot set up guest memory: Cannot allocate memory'],
    ['image-not-a-kernel', 'qemu: could not load kernel: Exec format error'],
  ])(
    'says nothing of an accelerator where the guest would start in no way: %s',
    async (kind, said) => {
      await expect(choose(`echo '${said}' >&2; exit 1`)).rejects.toMatchObject({
        failure: { kind },
      });
      expect(readVerdicts(layout.verdicts)).toEqual([]);
    },
  );

  test('of a KVM that another hypervisor holds is made again at the next start', async () => {
    const busy =
      'ioctl(KVM_CREATE_VM) failed: 16 Device or resource busy\nqemu: failed to initialize kvm: Device or resource busy';
    const script = `echo '${busy}' >&2; exit 1`;
    expect(await sentenceOf(script)).toMatch(/^kvm: KVM is busy: .* lsof \/dev\/kvm\. /);
    expect(await choose(script)).toMatchObject({ tried: true });
  });
});

/** Time of which there is as much as the trial wants; each of its looks is one step of it. */
class QuickClock extends FakeClock {
  looks = 0;
  onLook: (looks: number) => void = () => undefined;
  override async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    // Those of the wait for the control channel too.
    this.onLook(++this.looks);
    await systemClock.sleep(1, signal);
    await this.advance(ms);
  }
}

describe('the patience of a trial', needs('Linux'), () => {
  test('ends 5 s after the last byte', async () => {
    const { rejected } = await choose(
      says('Probing EDD (edd=off to disable)... ok'),
      {},
      new QuickClock(),
    );
    expect(rejected.map(plainly)).toEqual([
      expect.stringMatching(/^kvm: .* 5 s .*: Probing EDD \(edd=off to disable\)\.\.\. ok\. /),
    ]);
  });

  test('goes on while anything comes, and ends at the latest after 60 s', async () => {
    const clock = new QuickClock();
    clock.onLook = () => {
      if (existsSync(layout.trialConsole)) appendFileSync(layout.trialConsole, 'more\n');
    };
    const { rejected } = await choose(says('Linux'), {}, clock);
    expect(rejected.map(plainly)).toEqual([expect.stringMatching(/^kvm: .* 60 s\. /)]);
    expect(clock.looks).toBeGreaterThan(5_000 / 50);
  });

  test('gives a program time to be loaded', async () => {
    const clock = new QuickClock();
    // More looks than the silence of a guest may last.
    clock.onLook = (looks) => {
      if (looks === 400) appendFileSync(layout.trialConsole, `${trialLine}\n`);
    };
    expect(await choose('exec sleep 1000', {}, clock)).toMatchObject({ accelerator: 'kvm' });
  });
});

describe("KVM's device", needs('Linux'), () => {
  test('is looked at each time: whoever is let in need not boot the host again', async () => {
    const kvm = join(layout.root, 'nothing');
    const take = () => choose('exit 1', { kvm });
    const { rejected, ...rest } = await take();
    expect(rest).toEqual({ accelerator: 'tcg', tried: false });
    expect(rejected.map(plainly)).toEqual([expect.stringMatching(/^kvm: .*\/nothing .*modprobe/)]);
    writeFileSync(kvm, '');
    const tried = { accelerator: 'tcg', rejected: [saying(`kvm: QEMU exited at once. ${holds}`)] };
    expect(await take()).toEqual({ ...tried, tried: true });
    expect(await take()).toEqual({ ...tried, tried: false });
  });

  test('forced and not there, is no start', needs('x86-64'), async () => {
    const kvm = join(layout.root, 'nothing');
    await expect(choose('exit 1', { accelerator: 'kvm', kvm })).rejects.toMatchObject({
      failure: {
        kind: 'accelerator-unusable',
        hint: saying('modprobe'),
      },
    });
  });
});

test('a guest of another system is emulated, without a trial of what cannot run it', async () => {
  const system = systemNames.find((name) => name !== native);
  const choice = { accelerator: 'tcg', rejected: [], tried: false };
  expect(await choose('exit 134', { system })).toEqual(choice);
});

test('a forced one is not tried', async () =>
  expect(await choose('exit 1', { accelerator: 'tcg' })).toEqual({
    accelerator: 'tcg',
    rejected: [],
    tried: false,
  }));

// Behaviour 41: An accelerator that fails after its trial is not used again until the host reboots. The same start
// continues with the next accelerator, unless the setting `accelerator` names the one that failed: then the guest
// stays off.
describe('what an end teaches', needs('Linux'), () => {
  const at = '2026-01-01T00:00:00.000Z';
  const lessonOf = (accelerator: 'kvm' | 'tcg', asked = 'auto') =>
    acceleratorLesson(
      broken,
      { accelerator, program: program('exit 1') },
      { config: config(asked, native), at },
    );

  test('one that broke is followed by the next, until that is cleared', async () => {
    const { failure, verdict } = lessonOf('kvm');
    expect(failure).toMatchObject({
      kind: 'accelerator-rejected',
      message: expect.stringMatching(/^kvm .* tcg\. It aborts\.$/) as string,
    });
    if (verdict === undefined) throw new Error('nothing was learnt');
    expect(existsSync(layout.verdicts)).toBe(false);
    keepVerdict(verdict, layout.verdicts);
    const choice = {
      accelerator: 'tcg',
      rejected: [saying(`kvm: It aborts. ${holds}`)],
      tried: false,
    };
    expect(await choose('exit 1')).toEqual(choice);
    expect(likelyAccelerator(inputOf('exit 1', {}))).toBe('tcg');
    clearVerdicts(layout.verdicts);
    expect(likelyAccelerator(inputOf('exit 1', {}))).toBe('kvm');
    expect(await choose('exit 1')).toMatchObject({ tried: true });
  });

  // Behaviour 59: The daemon acts on such a failure even if it cannot record it. It then remembers the failure until
  // a restart is requested.
  test('what cannot be written is kept in mind until a restart is asked for', async () => {
    const verdicts = new Verdicts(join(layout.state, 'no/where'));
    const { verdict } = lessonOf('kvm');
    if (verdict !== undefined) verdicts.keep(verdict);
    const input = { ...inputOf('exit 1', {}), verdicts };
    const choice = {
      accelerator: 'tcg',
      rejected: [saying(`kvm: It aborts. ${holds}`)],
      tried: false,
    };
    expect(await chooseAccelerator(input, systemClock, never)).toEqual(choice);
    verdicts.forget();
    expect(await chooseAccelerator(input, systemClock, never)).toMatchObject({ tried: true });
  });

  test('the last one has no other after it', () =>
    expect(lessonOf('tcg')).toEqual({ failure: broken }));

  test('a forced one is not tried again', () =>
    expect(lessonOf('kvm', 'kvm').failure.kind).toBe('accelerator-unusable'));

  test('any other failure is left as it is', () => {
    const other = { ...broken, kind: 'vm-exited' };
    const where = { config: config('auto'), at };
    const used = { accelerator: 'kvm', program: 'x' } as const;
    expect(acceleratorLesson(other, used, where)).toEqual({ failure: other });
    expect(acceleratorLesson(broken, undefined, where)).toEqual({ failure: broken });
  });
});
