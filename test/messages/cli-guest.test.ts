import { inputsMissing, notCopied } from '../../src/cli/guest/bring-inputs.ts';
import { notOurs, notSent } from '../../src/cli/guest/debug.ts';
import { collecting, returning } from '../../src/cli/guest/gc-trim.ts';
import { suspendAnyway, untilResumed } from '../../src/cli/guest/suspend.ts';
import { diskInUse, nothingChanged } from '../../src/cli/guest/disk-command.ts';
import type { CommandResult } from '../../src/system/process/child.ts';
import { nobody } from '../fakes/commands.ts';
import { linesOf, ready } from './command-rig.ts';
import { tells } from './tell.ts';

const GiB = 1024 ** 3;
const busy = { ...nobody, open: 2, loggedIn: 2 };
const away = { phase: 'away', sentence: 'Nobody needs the guest.' } as const;
const saved = { guest: 'suspended', why: 'asked', saved: { at: ready.since, bytes: GiB } } as const;
const failed: CommandResult = {
  ended: { kind: 'exited', code: 1 },
  stdout: '',
  stderr: 'Permission denied (publickey).',
};

/** A daemon whose guest is away, or so, after a number of looks at it. */
const goes = (then: object, after = 1) => {
  let looks = 0;
  return { status: () => (looks++ < after ? ready : { ...ready, ...then }) };
};

tells('cli-guest', {
  suspend: {
    'to a file': () => linesOf(['suspend', '--now'], { answers: goes({ ...away, away: saved }) }),
    'without one': () => linesOf(['suspend', '--now'], { answers: goes(away) }),
    'it is so already': () =>
      [
        linesOf(['suspend'], { status: { ...away, away: saved } }),
        linesOf(['suspend'], { status: away }),
      ].reduce(async (all, lines) => [...(await all), ...(await lines)]),
    'it comes back at once': () =>
      linesOf(['suspend', '--now'], { answers: goes({ phase: 'booting' }) }),
    'it takes too long': () =>
      linesOf(['suspend', '--now'], { answers: goes({ phase: 'stopping' }) }),
    'it is in use': () =>
      linesOf(['suspend', '--now'], {
        answers: { suspend: () => ({ goes: false, inUse: { loggedIn: 1, builds: 1 } }) },
      }),
    'it is just being resumed': () => untilResumed,
    'it is in use, and a person can be asked': () => suspendAnyway({ loggedIn: 1, builds: 0 }),
    'a build waits for it': () =>
      linesOf(['suspend', '--now'], { answers: { suspend: () => ({ goes: false }) } }),
    'a gc or trim runs in it': () =>
      linesOf(['suspend', '--now'], {
        answers: { suspend: () => ({ goes: false, isHousekeeping: true }) },
      }),
    'it does not say whether it is in use': () =>
      linesOf(['suspend', '--now'], {
        answers: { suspend: () => ({ goes: false, isSilent: true }) },
      }),
    'it is still being resumed': () =>
      linesOf(['suspend', '--now'], {
        answers: { suspend: () => ({ goes: false, isComing: true }) },
      }),
    'builds do not end': () =>
      linesOf(['suspend', '-t', '1'], {
        answers: {
          ...goes(away, 2),
          drain: () => busy,
          door: () => busy,
          guest: () => ({ builds: 3 }),
        },
      }),
    'by force, and builds do not end': () =>
      linesOf(['suspend', '--force', '-t', '1'], {
        answers: { ...goes(away, 2), drain: () => busy, door: () => busy },
      }),
    'only connections are left': () =>
      linesOf(['suspend', '-t', '1'], {
        answers: {
          ...goes(away, 2),
          drain: () => busy,
          door: () => busy,
          guest: () => ({ builds: 0 }),
        },
      }),
  },
  resume: {
    'it was away': () => linesOf(['resume'], { answers: { resume: () => ({ was: 'away' }) } }),
    'it was not': () => linesOf(['resume'], { status: {} }),
    'there is no daemon': () => linesOf(['resume']),
  },
  drain: {
    'nobody is in the guest': () => linesOf(['drain'], { status: {} }),
    'somebody is': () => linesOf(['drain'], { answers: { refuse: () => busy } }),
    '--wait, until all are done': () => linesOf(['drain', '--wait'], { status: {} }),
    '--wait, and they are not done': () =>
      linesOf(['drain', '--wait', '-t', '1'], {
        answers: { refuse: () => busy, door: () => busy, guest: () => ({ builds: 1 }) },
      }),
    undrain: () => linesOf(['undrain'], { status: {} }),
  },
  gc: {
    done: () =>
      linesOf(['gc'], {
        answers: { gc: () => ({ isDone: true, diskBytes: 4 * GiB, diskFreeBytes: 3 * GiB }) },
      }),
    'a build came': () =>
      linesOf(['gc'], {
        answers: { gc: () => ({ isDone: false, diskBytes: 4 * GiB, diskFreeBytes: 3 * GiB }) },
      }),
    'the guest is in use': () =>
      linesOf(['gc', '-t', '1'], {
        answers: { drain: () => busy, door: () => busy, guest: () => ({ builds: 1 }) },
      }),
  },
  trim: {
    'done, by a guest that was not running': () => {
      let looks = 0;
      const status = () => (looks++ === 0 ? { ...ready, ...away } : ready);
      return linesOf(['trim'], { answers: { status } });
    },
    'it takes long': () => [collecting, returning],
    'nothing comes back': () =>
      linesOf(['trim'], { answers: { trim: () => ({ goesBack: false }) } }),
  },
  disk: {
    reset: () => linesOf(['disk', 'reset', '--yes'], { files: { 'nix-disk': 'x' } }),
    'reset, without --yes': () => linesOf(['disk', 'reset'], { files: { 'nix-disk': 'x' } }),
    'reset, without a disk': () => linesOf(['disk', 'reset', '--yes']),
    'reset, while it is in use': () => diskInUse,
    'reset, and the answer is no': () => nothingChanged,
    keep: () => linesOf(['disk', 'keep']),
  },
  ssh: {
    'nothing has been set up': () => linesOf(['ssh'], { config: undefined }),
    'a file is missing': () => linesOf(['ssh']),
    'there is no daemon': () => linesOf(['ssh'], { files: { ssh_config: '' } }),
    'the builder is drained': () =>
      linesOf(['ssh'], {
        files: { ssh_config: '' },
        status: { door: { port: 24083, draining: false, refusing: true } },
      }),
  },
  debug: {
    'a derivation for another system': () =>
      notOurs('aarch64-linux', ['x86_64-linux', 'i686-linux']),
    'root does not get in': () => notSent(failed),
    'inputs are gone': () => [
      inputsMissing(['/nix/store/a'], failed),
      inputsMissing(['/nix/store/a', '/nix/store/b'], failed),
    ],
    'Nix does not know': () => inputsMissing([], failed),
    'inputs could not be copied': () => notCopied,
  },
});
