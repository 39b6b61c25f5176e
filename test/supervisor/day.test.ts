import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dayOf } from '../../src/command/boot-logs.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { dayIn } from '../../src/supervisor/status/day.ts';
import { daySection, daySvg } from '../../src/supervisor/status/day-picture.ts';
import { stepColour, usualSteps } from '../../src/supervisor/status/step-colours.ts';
import { DayNotes } from '../../src/supervisor/idle/day-notes.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

const minute = 60_000;
const begun = Date.parse('2026-01-02T00:00:00.000Z');
const at = (minutes: number) => begun + minutes * minute;
const line = (minutes: number, event: string, fields: object = {}) =>
  JSON.stringify({ event, time: new Date(at(minutes)).toISOString(), ...fields });
const phase = (minutes: number, name: string) => line(minutes, 'phase', { phase: name });

/** A build, a suspend, a wake, a stop, and a daemon that is killed. */
const log = [
  line(0, 'daemon-started'),
  phase(0, 'away'),
  line(10, 'wanted'),
  phase(10, 'starting'),
  phase(11, 'ready'),
  line(11, 'guest-used', { residentBytes: 400e6 }),
  line(20, 'guest-memory', { residentBytes: 900e6 }),
  line(25, 'guest-unused', { residentBytes: 500e6 }),
  phase(35, 'suspending'),
  line(35, 'guest-saved'),
  phase(35, 'stopping'),
  phase(36, 'away'),
  line(60, 'wanted'),
  phase(60, 'starting'),
  phase(60, 'resuming'),
  phase(61, 'ready'),
  line(62, 'guest-used'),
  '{"torn": ',
  phase(70, 'stopping'),
  phase(71, 'away'),
  line(80, 'guest-tidied'),
  line(100, 'daemon-started'),
  phase(100, 'failed'),
].join('\n');

// Behaviour 146: `boot-report --html` shows the last 24 hours: what the guest did, when clients were in it, and the
// VM's memory.
describe('a day', () => {
  test('is where the guest was, who used it, and what it kept', () => {
    const day = dayIn(log, at(120));
    const places = day?.spans.map(({ place, from }) => [(from - begun) / minute, place]);
    expect(places).toEqual([
      [0, 'stopped'],
      [10, 'comes'],
      [11, 'there'],
      [35, 'goes'],
      [36, 'suspended'],
      [60, 'comes'],
      [61, 'there'],
      [70, 'goes'],
      [71, 'stopped'],
      [80, 'no-daemon'],
      [100, 'trouble'],
    ]);
    expect(day?.counts).toEqual({ suspends: 1, stops: 1, wakes: 2, uses: 2 });
    expect(day?.uses.map(({ from, to }) => [from, to])).toEqual([
      [at(11), at(25)],
      // Nobody was in a guest that went.
      [at(62), at(70)],
    ]);
    const memory = day?.memory.map(({ at: when, bytes }) => [(when - begun) / minute, bytes / 1e6]);
    expect(memory?.filter(([, bytes]) => bytes !== 0)).toEqual([
      [11, 400],
      [20, 900],
      [25, 500],
    ]);
    expect(memory?.some(([when, bytes]) => when === 36 && bytes === 0)).toBe(true);
  });

  const stopsOf = (...phases: readonly string[]) =>
    dayIn(
      phases
        .map((name, n) => (name === 'daemon-started' ? line(n, name) : phase(n, name)))
        .join('\n'),
      at(phases.length),
    )?.counts.stops;

  test('counts no start that fails as a stop', () => {
    const fails = ['starting', 'booting', 'stopping', 'backing-off'];
    expect(stopsOf(...fails, ...fails, 'starting', 'stopping', 'failed')).toBe(0);
    // Its disk was full before it was ready.
    expect(stopsOf('starting', 'booting', 'paused', 'stopping', 'failed')).toBe(0);
    // A restart of one that was there, which fails.
    const there = ['starting', 'booting', 'ready'];
    expect(stopsOf(...there, 'stopping', ...fails)).toBe(0);
    expect(stopsOf(...there, 'stopping', 'backing-off', ...fails)).toBe(1);
    expect(stopsOf(...there, 'paused', 'stopping', 'failed')).toBe(1);
    // Its daemon was killed.
    expect(stopsOf(...there, 'daemon-started', 'away')).toBe(0);
  });

  test('goes back for 24 hours, and begins with what was so then', () => {
    const day = dayIn(log, at(24 * 60 + 30));
    expect(day?.from).toBe(at(30));
    expect(day?.spans[0]).toMatchObject({ place: 'there', from: at(30), to: at(35) });
    expect(day?.memory[0]).toEqual({ at: at(30), bytes: 500e6 });
    expect(day?.counts).toEqual({ suspends: 1, stops: 1, wakes: 1, uses: 1 });
    expect(dayIn('nothing', at(1))).toBeUndefined();
  });

  test('is a picture in which each lies where its time was, and that takes nothing for markup', () => {
    const day = dayIn(log, at(120));
    if (day === undefined) throw new Error('there is a day');
    const section = daySection(day);
    expect(section).toContain('1 suspend, 1 stop, 2 wakes; in use 2 times');
    const bars = [...daySvg(day).matchAll(/<rect x="([\d.]+)"[^>]* width="([\d.]+)"/g)];
    expect(bars).toHaveLength(day.spans.length + day.uses.length);
    // From 36 to 60 of 120 minutes.
    expect(bars[4]?.slice(1).map(Number)).toEqual([190 + 760 * 0.3, 760 * 0.2]);
    expect(daySvg({ ...day, memory: [] })).not.toContain('polyline');
  });
});

test('each step of a start has a colour of its own, whatever else is in the picture', () => {
  const colours = usualSteps.map((name) => stepColour(name, usualSteps));
  expect(new Set(colours).size).toBe(usualSteps.length);
  expect(usualSteps.map((name) => stepColour(name, [name]))).toEqual(colours);
  expect(colours).not.toContain(stepColour('odd', ['init', 'odd']));
});

describe('what is noted of a day', () => {
  let layout: Layout;
  let clock: FakeClock;
  let isOurs = true;
  let residentBytes: number | undefined;
  beforeEach(() => {
    layout = layoutOf(mkdtempSync(join(tmpdir(), 'day-')));
    mkdirSync(layout.state);
    clock = new FakeClock();
    isOurs = true;
    residentBytes = 100e6;
  });
  afterEach(() => removeTree(layout.root));
  const daemon = () =>
    new DayNotes({ layout, clock, isOurs: () => isOurs, residentBytes: () => residentBytes });
  const noted = () =>
    readFileSync(layout.day, 'utf8')
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text) as Record<string, unknown>);

  test('is when somebody comes into the guest, when nobody is in it, and memory that changes', () => {
    const notes = daemon();
    // Memory is looked at once a minute.
    const pass = (loggedIn: number) => {
      for (let look = 0; look < 12; look++) notes.tick(loggedIn);
    };
    pass(0);
    notes.users(1);
    notes.users(2);
    // Between two builds of one build.
    notes.users(0);
    notes.users(1);
    residentBytes = 150e6;
    pass(1);
    residentBytes = 500e6;
    pass(1);
    notes.users(0);
    pass(0);
    residentBytes = undefined;
    pass(0);
    expect(noted().map(({ event, residentBytes: bytes }) => [event, bytes])).toEqual([
      ['daemon-started', undefined],
      ['guest-memory', 100e6],
      ['guest-used', 100e6],
      ['guest-memory', 500e6],
      ['guest-unused', 500e6],
    ]);
  });

  test('is read back without the log, in which another release alone has left its day', async () => {
    const said = (event: string, fields = {}) =>
      `${JSON.stringify({ event, time: new Date(clock.now()).toISOString(), ...fields })}\n`;
    writeFileSync(layout.log, said('daemon-started') + said('phase', { phase: 'away' }));
    await clock.advance(minute);
    appendFileSync(layout.log, said('guest-tidied'));
    await clock.advance(minute);
    const notes = daemon();
    // The log of now has it as well.
    appendFileSync(layout.log, said('wanted'));
    notes.note({ event: 'wanted' });
    notes.phase('starting');
    await clock.advance(minute);
    notes.phase('ready');
    await clock.advance(minute);
    const day = dayOf(layout, clock.now());
    expect(day?.spans.map(({ place }) => place)).toEqual([
      'stopped',
      'no-daemon',
      'comes',
      'there',
    ]);
    expect(day?.counts.wakes).toBe(1);
    rmSync(layout.log);
    expect(
      dayOf(layout, clock.now())
        ?.spans.map(({ place }) => place)
        .at(-1),
    ).toBe('there');
  });

  test('is nothing in a directory that another daemon has taken, and ends nothing where there is none', () => {
    const notes = daemon();
    isOurs = false;
    notes.phase('failed');
    expect(noted()).toHaveLength(1);
    isOurs = true;
    removeTree(layout.state);
    expect(() => notes.phase('failed')).not.toThrow();
  });
});
