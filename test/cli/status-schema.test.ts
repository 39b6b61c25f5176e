import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { reportOf } from '../../src/cli/status/live-facts.ts';
import { reportSchema, type LiveFacts } from '../../src/cli/status/report-schema.ts';
import { parseConfig } from '../../src/config/config.ts';
import type { State } from '../../src/supervisor/lifecycle/state.ts';
import { sentenceOf } from '../../src/supervisor/lifecycle/sentences.ts';
import { parseStatus, type Facts, type Status } from '../../src/supervisor/status/status-schema.ts';
import { statusOf } from '../../src/supervisor/status/status-of.ts';
import { hostFacts } from '../../src/system/host/host.ts';
import { schemaProblems } from '../rig/status-schema.ts';

const failure = { kind: 'x', message: 'm', hint: 'h', exit: 69, lines: ['l'] } as const;
const since = Date.parse('2026-01-01T00:00:00Z');
/** A state of each phase, with all that it may carry. */
const states: { readonly [P in State['phase']]: Extract<State, { phase: P }> } = {
  stopped: { phase: 'stopped', since },
  starting: { phase: 'starting', since, attempt: 2, last: failure },
  booting: { phase: 'booting', since, attempt: 1, stage: 'disk', last: failure },
  ready: { phase: 'ready', since, attempt: 0, last: failure },
  paused: { phase: 'paused', since, attempt: 1, was: { phase: 'ready', since }, why: 'disk-full' },
  suspending: { phase: 'suspending', since, attempt: 1, why: { type: 'asked' }, last: failure },
  resuming: { phase: 'resuming', since, attempt: 1, last: failure },
  stopping: { phase: 'stopping', since, attempt: 1, because: { type: 'lost', failure } },
  away: {
    phase: 'away',
    since,
    why: { type: 'unused', forMs: 600_000 },
    saved: { bytes: 1, at: '2026-01-01T00:00:00.000Z' },
  },
  'backing-off': { phase: 'backing-off', since, attempt: 1, until: since + 1, because: failure },
  failed: { phase: 'failed', since, attempt: 5, until: since + 1, because: failure },
};
const facts: Required<Facts> = {
  vmPid: 1,
  networkTrouble: 'known: it is kept out. Let it in. (some/where#1)',
  vmChoice: { vm: 'qemu', why: 'It is set in the configuration.' },
  network: 'gvproxy',
  networkPid: 2,
  accelerator: 'tcg',
  rejected: ['kvm: no'],
  image: {
    prefix: '/p',
    instead: { at: '2026-01-01T00:00:00.000Z', message: 'm' },
    old: { version: '20260101T000000Z', why: 'w' },
  },
  nixVersion: '2.34.8',
  lostSystems: ['i686-linux'],
  diskExposed: { at: '2026-01-01T00:00:00.000Z', nix: '2.26.3' },
  tunnelPort: 3,
  timeline: [{ name: 'sshd', ms: 1, uptimeS: 0.5 }],
  clockOffsetMs: -1,
  health: 'slow',
  login: { works: false, detail: 'd', hint: 'h' },
  complaints: [{ what: 'oops', text: 'Oops: 0002', at: '2026-01-01T00:00:00.000Z' }],
  notResumed: 'w',
  sleptMs: 6000,
};
const live: Required<LiveFacts> = {
  connections: {
    held: 0,
    opening: 0,
    open: 2,
    loggedIn: 1,
    entering: 1,
    crowd: { uid: 1002, user: 'eve', waiting: 500, newcomers: 16 },
  },
  past: { uid: 1002, user: 'eve', connections: 3 },
  guest: {
    builds: 1,
    diskBytes: 2,
    diskFreeBytes: 1,
    clockOffsetMs: 0,
    givesBack: { memory: true, disk: false },
    kept: { directories: 1, bytes: 2 },
  },
  memory: { residentBytes: 1 },
  disk: { apparentBytes: 2, realBytes: 1 },
  incident: { at: '2026-01-01T00:00:00.000Z', kind: 'guest-frozen', message: 'm', folder: '/f' },
  unheardSince: '2026-01-01T00:00:00.000Z',
  imageAge: { securityDate: '2026-01-01T00:00:00.000Z', days: 46, newer: 3, isOld: true },
  untold: {
    sentence: 's',
    remedy: 'r',
    differs: [{ name: 'port', told: 1, set: 2 }, { name: 'key' }],
    files: ['/f'],
  },
};
const parsed = parseConfig('{}', hostFacts('/'));
if (!parsed.ok) throw new Error('the defaults are no config');
const problems = [{ path: 'cpus', value: 0, message: 'must be at least 1', hint: 'h' }];
const daemon = { pid: 7, started: '1', boot: 'b', program: 'node' };
const statusIn = (state: State): Status =>
  statusOf({
    state,
    facts,
    daemon,
    release: '0.1.0',
    problems,
    config: parsed.config,
    // Changed since the start.
    runs: { ...parsed.config, cpus: 1, port: 24100, bundle: '/b' },
    door: { port: 24083, draining: false },
  });

// Behaviour 134: The output of `status --json` matches `docs/status.schema.json` in every phase, and even if the
// daemon is gone.
describe.each(Object.values(states))('what is printed in phase $phase', (state) => {
  test.each([
    ['of a daemon that lives', 'alive'],
    ['of one that is gone', 'gone'],
  ] as const)('%s is what the schema says', (_, daemonIs) => {
    const status = statusIn(state);
    const found =
      daemonIs === 'alive'
        ? ({ daemon: 'alive', status, heard: true } as const)
        : ({ daemon: 'gone', last: status } as const);
    expect(schemaProblems(reportOf(found, live))).toEqual([]);
    expect(schemaProblems(reportOf(found, {}))).toEqual([]);
    expect(v.safeParse(reportSchema, printed(reportOf(found, live))).issues).toBeUndefined();
  });

  test('is read back as it was written', () => {
    const status = printed(statusIn(state));
    expect(parseStatus(status)).toEqual(status);
  });
});

/** As it goes through a file, without what is undefined. */
const printed = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('a record of another release', () => {
  test('that knows less', () => {
    // Of 0.1.0 before there were a door that is a socket, times to start and idle guests.
    const old = {
      version: 1,
      phase: 'ready',
      since: '2026-01-01T00:00:00.000Z',
      sentence: 's',
      attempt: 0,
      vmPid: 5,
      network: 'user',
      accelerator: 'kvm',
      tunnelPort: 40000,
      timeline: [{ name: 'init', ms: 1 }],
      clockOffsetMs: 2,
      health: 'well',
      daemon,
      door: { port: 24083, draining: false },
      builder: {
        vm: 'qemu',
        network: 'user',
        cpus: 2,
        memoryMiB: 2048,
        diskGiB: 80,
        maxJobs: 2,
        system: 'x86_64-linux',
        features: ['kvm'],
        port: 24083,
        accelerator: 'auto',
        holdSeconds: 180,
        keepAwake: false,
      },
    };
    expect(parseStatus(old)).toEqual(old);
  });

  test('that knows more', () => {
    const status = printed(statusIn(states.ready)) as Status;
    const more = { ...status, colour: 'red', door: { ...status.door, height: 2 } };
    expect(parseStatus(more)).toEqual(more);
    const odd = { ...status, phase: 'hovering', health: 'odd', timeline: 'none' };
    const { timeline, health, ...rest } = odd;
    expect(parseStatus(odd)).toEqual(rest);
    expect([timeline, health]).toEqual(['none', 'odd']);
  });

  test('of which a part is odd loses that part, and no more than is nothing without it', () => {
    const status = printed(statusIn(states.failed)) as Status;
    const because = { ...failure, recovery: 'ask-user', blames: 'moon' };
    const known = { what: 'stall', text: 't', at: '2026-01-01T00:00:00.000Z' };
    const complaints = [{ ...known, what: 'yawn' }, known, { ...known, at: 0 }];
    const odd = { ...status, because, complaints, lostSystems: [1, 2], login: { works: 'so so' } };
    const { lostSystems, login, ...rest } = status;
    expect(parseStatus(odd)).toEqual({ ...rest, because: failure, complaints: [known] });
    expect([lostSystems, login]).toEqual([facts.lostSystems, facts.login]);
    // Without an exit code it is no failure.
    const { because: _, ...without } = status;
    expect(parseStatus({ ...status, because: { ...failure, exit: 'x' } })).toEqual(without);
  });

  test('of which neither sentence nor time is known is shown without them', () => {
    const { sentence, since: at, ...rest } = printed(statusIn(states.ready)) as Status;
    for (const odd of [rest, { ...rest, sentence: 1, since: 1 }])
      expect(parseStatus(odd)).toEqual({
        ...rest,
        sentence: expect.stringContaining("'ready'") as string,
      });
    expect([typeof sentence, typeof at]).toEqual(['string', 'string']);
  });

  test.each([null, [], 'x', {}, { version: 2, phase: 'ready', daemon }, { version: 1, daemon }])(
    'that is none: %j',
    (json) => expect(parseStatus(json)).toBeUndefined(),
  );
});

test('where there never was a daemon, little is printed', () =>
  expect(schemaProblems(reportOf({ daemon: 'gone', last: undefined }, {}))).toEqual([]));

test('before anything was launched, little is known', () => {
  const state = states.starting;
  const bare = statusOf({
    state,
    facts: {},
    daemon,
    problems: [],
    config: undefined,
    runs: undefined,
    door: undefined,
  });
  expect(schemaProblems(reportOf({ daemon: 'alive', status: bare, heard: true }, {}))).toEqual([]);
});

test('the schema says no to what is not promised', () => {
  const status = statusIn(states.ready);
  const report = reportOf({ daemon: 'alive', status, heard: true }, live);
  for (const wrong of [
    { ...report, colour: 'red' },
    { ...report, phase: 'odd' },
    { ...report, since: 'today' },
    { ...report, vmPid: undefined },
    { ...report, guest: { builds: -1 } },
    { running: true },
    { ...report, phase: 'failed', because: undefined, sentence: sentenceOf(states.failed) },
    {},
  ])
    expect(schemaProblems(wrong), JSON.stringify(wrong)).not.toEqual([]);
});
