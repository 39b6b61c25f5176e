import { aliveLines, goneLines, type Screen } from '../../src/cli/status/status-screen.ts';
import { notSetUp } from '../../src/config/not-set-up.ts';
import { layoutOf } from '../../src/config/layout.ts';
import type { Status } from '../../src/supervisor/status/status-schema.ts';
import { nobody } from '../fakes/commands.ts';
import { ready } from './command-rig.ts';
import { tells } from './tell.ts';

const GiB = 1024 ** 3;
const at = '2026-01-02T03:03:05.000Z';
const now = Date.parse('2026-01-02T03:04:05Z');
const screen: Screen = { now, width: Infinity, live: {}, version: '0.1.0' };
const builder = {
  vm: 'qemu',
  network: 'user',
  cpus: 4,
  memoryMiB: 4096,
  diskGiB: 80,
  maxJobs: 4,
  system: 'x86_64-linux',
  features: ['benchmark', 'linuxkit-builder'],
  door: 'tcp',
  port: 24083,
  accelerator: 'auto',
  bundle: undefined,
  holdSeconds: 180,
  keepAwake: true,
  start: 'login',
  idle: { after: '10 min', how: 'never', onBattery: 'same', onLowMemory: 'same' },
} as const satisfies Status['builder'];
const whole: Status = {
  ...ready,
  door: { port: 24083, draining: false },
  vmPid: 4712,
  accelerator: 'kvm',
  builder,
  timeline: [
    { name: 'kernel', ms: 1200 },
    { name: 'sshd', ms: 3000 },
  ],
};
const guest = { builds: 2, diskBytes: 78 * GiB, diskFreeBytes: 74 * GiB, clockOffsetMs: -5 };
const failure = { kind: 'x', exit: 69, message: 'QEMU ended.', hint: 'Do this.' } as const;
const launchd = { name: 'launchd', starts: 'login', loaded: true, running: true } as const;
const nixos = {
  name: 'systemd',
  starts: 'boot',
  loaded: false,
  running: false,
  whose: { by: 'NixOS', restart: 'sudo systemctl restart linuxkit-builder' },
} as const;

const shown = (status: Partial<Status>, more: Partial<Screen> = {}) =>
  aliveLines({ ...whole, ...status }, { ...screen, ...more });
const live = (facts: Screen['live'], status: Partial<Status> = {}) =>
  shown(status, { live: facts });

tells('cli-status', {
  'A builder that is ready': {
    'with all that is known': () =>
      shown(
        {},
        {
          job: launchd,
          live: {
            disk: { apparentBytes: 80 * GiB, realBytes: 2 * GiB },
            memory: { residentBytes: 3 * GiB },
            connections: { ...nobody, open: 3, loggedIn: 2, held: 1 },
            guest: { ...guest, kept: { directories: 1, bytes: GiB } },
            incident: { at, kind: 'guest-frozen', message: 'The guest is frozen.', folder: '/i' },
          },
        },
      ),
    'with one processor': () => shown({ builder: { ...builder, cpus: 1, maxJobs: 1 } }),
    'no build runs, two failed ones are kept, and nothing is returned': () =>
      live({
        disk: { apparentBytes: 80 * GiB, realBytes: 2 * GiB },
        memory: { residentBytes: GiB },
        guest: {
          ...guest,
          builds: 0,
          kept: { directories: 2, bytes: GiB },
          givesBack: { memory: false, disk: false },
        },
      }),
    'it is drained': () => shown({ door: { port: 24083, draining: false, refusing: true } }),
    'the daemon does not respond': () => live({ unheardSince: at }),
    'its job is declared elsewhere': () => shown({}, { job: nixos }),
    'the daemon is of another release': () => [
      ...shown({ release: '0.0.9' }),
      ...shown({ release: '0.0.9' }, { job: nixos }),
    ],
    'Nix does not know it': () =>
      shown({}, { unregistered: 'This builder is not registered with Nix.' }),
    "root's files are out of date": () =>
      live({
        untold: {
          sentence: "Root's files are out of date.",
          remedy: 'linuxkit-builder configure',
          differences: [],
        },
      } as unknown as Screen['live']),
    'suspending was given up': () => shown({ suspendGivenUp: { why: 'It broke.' } }),
    'settings wait for a restart': () => shown({ pending: [{ name: 'cpus', from: 4, to: 8 }] }),
    'a setting is wrong': () =>
      shown({
        problems: [{ path: 'cpus', value: 0, message: 'must be at least 1', hint: 'Correct it.' }],
      }),
    'the guest has complained': () =>
      shown({
        complaints: [
          { what: 'oops', text: 'Oops: int3', at },
          { what: 'restarted', text: 'its service sshd ended and was restarted', at },
        ],
      }),
  },
  'Others at the door': {
    'one user holds it': () =>
      live({
        connections: {
          ...nobody,
          open: 17,
          held: 500,
          crowd: { uid: 1002, user: 'eve', waiting: 500, newcomers: 16 },
        },
      }),
    'a user without a name': () =>
      live({
        connections: {
          ...nobody,
          open: 17,
          held: 500,
          crowd: { uid: 1002, waiting: 500, newcomers: 16 },
        },
      }),
    'users that are not known': () =>
      live({
        connections: { ...nobody, open: 17, held: 500, crowd: { waiting: 500, newcomers: 16 } },
      }),
    'past it': () => live({ past: { uid: 1002, user: 'eve', connections: 1 } }),
  },
  'An image': {
    'that is not the newest': () =>
      shown({
        image: { prefix: '/image', instead: { at, message: 'The kernel panicked.' } },
      }),
    'that is too old, and is used all the same': () =>
      shown({
        image: {
          prefix: '/image',
          old: { why: 'Its OpenSSH has a known vulnerability', version: '1' },
        },
      }),
  },
  'A guest that is away': {
    'as a file': () =>
      shown({
        phase: 'away',
        sentence: 'Nobody needs the guest.',
        away: { guest: 'suspended', why: 'unused', saved: { at, bytes: GiB } },
      }),
  },
  'A start': {
    'with a usual time': () =>
      shown(
        { phase: 'booting', sentence: 'The guest is booting.' },
        { start: { begun: now - 5000, usualMs: 10_000 } },
      ),
    'the first one': () =>
      shown(
        { phase: 'booting', sentence: 'The guest is booting.' },
        { start: { begun: now - 5000, usualMs: undefined } },
      ),
    'after a failure': () =>
      shown({
        phase: 'backing-off',
        sentence: 'Trying again in 5 s.',
        because: { ...failure, lines: ['qemu: no'] },
        last: failure,
      }),
  },
  'No daemon': {
    'it was stopped': () => goneLines(undefined, screen),
    'nothing has been set up': () =>
      goneLines(undefined, { ...screen, notSetUp: notSetUp(layoutOf('/builder')) }),
    'it was killed': () =>
      goneLines(
        { ...whole, phase: 'booting', because: failure },
        { ...screen, job: { ...launchd, running: false, ended: 'with exit code 3' } },
      ),
    'its job is not loaded': () =>
      goneLines(undefined, { ...screen, job: { ...launchd, loaded: false } }),
  },
});
