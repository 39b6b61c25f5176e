/** Which program runs the guest, and how: why it is chosen, and why the others are not. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { layoutOf } from '../../src/config/layout.ts';
import { nativeSystem, systemNames } from '../../src/domain/guest-system.ts';
import { keepVerdict } from '../../src/domain/verdicts.ts';
import type { VmProgram } from '../../src/domain/vm-programs.ts';
import { vmPrograms } from '../../src/domain/vm-programs.ts';
import { Exit, type Failure } from '../../src/system/failure.ts';
import { versionOf } from '../../src/system/files/stamp.ts';
import { acceleratorLesson, chooseAccelerator } from '../../src/vm/accelerator.ts';
import { chooseVm, nothingHere } from '../../src/vm/choose-vm.ts';
import { vmLesson } from '../../src/vm/vm-lesson.ts';
import { kvmObstacle, obstacleOf, type Obstacle } from '../../src/vm/kvm-device.ts';
import { lackedEmulated } from '../../src/vm/qemu/emulated.ts';
import { fellSilent, notStarted, tooSlow, whyEnded } from '../../src/vm/qemu/trial.ts';
import { rankVms, type RankFacts } from '../../src/vm/vm-ranking.ts';
import { refusalOf, vmDrivers } from '../../src/vm/vm-drivers.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { directoryShownAs, type States } from './tell.ts';

const tree = directoryShownAs('/choice');
const layout = layoutOf(join(tree, 's'));
mkdirSync(layout.state, { recursive: true });
const system = nativeSystem(process.arch);
const foreign = systemNames.find((name) => name !== system) ?? system;
const at = '2026-01-01T00:00:00.000Z';
const asked = { vm: 'auto', system, cpus: 2, network: 'auto', accelerator: 'auto' } as const;
const here = { config: asked, layout, path: join(tree, 'bin'), kvm: join(tree, 'kvm') };
const failure: Failure = {
  kind: 'accelerator-broken',
  message: 'It aborts.',
  hint: '',
  exit: Exit.unavailable,
};

const facts: RankFacts = {
  host: 'darwin-arm64',
  macos: '15.2',
  system: 'aarch64-linux',
  cpus: 2,
  network: 'auto',
  accelerator: 'auto',
  installed: ['qemu', 'vfkit', 'hyperkit'],
  networks: ['gvproxy'],
};
const told = (changes: Partial<RankFacts>, rows?: Readonly<Record<string, VmProgram>>) => () => {
  const { ways, without } = rankVms({ ...facts, ...changes }, rows);
  return [...ways, ...without].map(({ vm, why }) => `${vm} ${why}.`);
};
const intel = { host: 'darwin-x64', system: 'x86_64-linux' } as const;

export const ranking: States = {
  'on Apple silicon': told({}),
  'on Apple silicon, with nothing installed': told({ installed: [], networks: [] }),
  'on Apple silicon, without a network program': told({ networks: [] }),
  'on an old macOS, with a network of one’s own choice': told({ macos: '12.7', network: 'vpnkit' }),
  'on an Intel Mac': told({ ...intel, cpus: 100, networks: ['gvproxy', 'vpnkit'] }),
  'on an Intel Mac, for another processor': told({ ...intel, system: 'aarch64-linux' }),
  'on Linux': told({ host: 'linux-x64', system: 'x86_64-linux', macos: undefined }),
  'on Linux on arm64': told({ host: 'linux-arm64', installed: ['qemu'], macos: undefined }),
  'the builder has used QEMU so far': told({ kept: 'qemu' }),
  'the builder has used QEMU so far, and vfkit is new': told({ kept: 'qemu', changed: ['vfkit'] }),
  'a path that vfkit would misread': () => {
    const spaced = { config: { system: 'aarch64-linux' }, layout: layoutOf('/a b') } as const;
    return told({ refused: { vfkit: refusalOf('vfkit', spaced) ?? '' } })();
  },
  'a program that nobody has ranked': told({ installed: ['other'] }, { other: vmPrograms.vfkit }),
};

export const choice: States = {
  'the program is named': () => chooseVm({ ...here, config: { ...asked, vm: 'qemu' } }).why,
  'there is none, on a Mac': () =>
    nothingHere(
      rankVms({ ...facts, installed: [] }),
      { ...asked, system: 'aarch64-linux' },
      'darwin',
    ),
  'there is none, on Linux': () =>
    nothingHere(
      rankVms({ ...facts, host: 'linux-x64', system: 'x86_64-linux', installed: [] }),
      { ...asked, system: 'x86_64-linux' },
      'linux',
      'dnf',
    ),
  'the best one has failed': () => {
    mkdirSync(here.path, { recursive: true });
    writeFileSync(join(here.path, vmDrivers.qemu.program({ system })), '', { mode: 0o755 });
    const lost = { driver: vmDrivers.vfkit, at, attempt: 1, isMute: false };
    return vmLesson({ ...failure, kind: 'vm-forbidden', vmFault: 'lasts' }, { ...here, ...lost })
      .failure;
  },
};

const program = join(tree, 'qemu');
const config = (accelerator: 'auto' | 'kvm', guest = system) =>
  ({ ...asked, accelerator, system: guest, memoryMiB: 2048 }) as never;
const choose = (wanted: ReturnType<typeof config>) =>
  chooseAccelerator(
    { config: wanted, layout, program, kvm: join(tree, 'no-kvm'), bundle: {} as never },
    new FakeClock(),
    new AbortController().signal,
  );
const hardware = process.platform === 'darwin' ? 'hvf' : 'kvm';
const lesson = (accelerator: 'auto' | 'kvm') => {
  const used = { accelerator: hardware, program } as const;
  const { message, ...rest } = acceleratorLesson(failure, used, {
    config: config(accelerator),
    at,
  }).failure;
  return { ...rest, message: message.replace(hardware, 'kvm') };
};

export const accelerators: States = {
  'kvm is asked for, and there is none': () => choose(config('kvm')),
  'kvm is asked for, and breaks': () => lesson('kvm'),
  'kvm breaks': () => lesson('auto'),
  'none works': () => {
    writeFileSync(program, '');
    const way = { subject: 'accelerator', way: 'tcg', basis: versionOf(program) } as const;
    keepVerdict({ ...way, at, why: 'It aborts' }, layout.verdicts);
    return choose(config('auto', foreign));
  },
  'x86-64-v2 is not emulated': () =>
    lackedEmulated({ config: { system: 'x86_64-linux' }, accelerator: 'tcg' }),
};

const obstacle = ({ why, remedy }: Obstacle) => (remedy === undefined ? [why] : [why, remedy]);
export const kvm: States = {
  'is not there': () => obstacle(kvmObstacle(join(tree, 'no-kvm')) ?? { why: '' }),
  ...Object.fromEntries(
    ['ENODEV', 'EACCES', 'EPERM', 'EBUSY', 'EIO'].map((code) => [
      code,
      () => obstacle(obstacleOf(code, '/dev/kvm')),
    ]),
  ),
};

const ended = (code: number, output: string[], last: string) =>
  whyEnded({ kind: 'exited', code }, output, last, { layout, accelerator: 'kvm' } as never).why;
export const trials: States = {
  'the program cannot be started': () => notStarted('EACCES'),
  'the guest is slow': () => tooSlow,
  'the guest says nothing': () => fellSilent(''),
  'the guest falls silent': () => fellSilent('[    0.000000] Linux version 6.12'),
  'the kernel panics': () => ended(0, [], 'Kernel panic - not syncing'),
  'the program exits': () => ended(1, ['odd'], ''),
  'the program exits without a word': () => ended(1, [], ''),
};
