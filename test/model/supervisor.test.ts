/**
 * Random lives of the real Supervisor, with real processes in place of QEMU and a clock that is moved by hand; what must hold in
 * each of them is checked at each new status and at the end.
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import fc from '../fuzz/fast-check.ts';
import { expect } from 'vitest';
import { defaultPolicy } from '../../src/supervisor/lifecycle/backoff.ts';
import { readStatus } from '../../src/supervisor/status/status.ts';
import type { Status } from '../../src/supervisor/status/status-schema.ts';
import { Supervisor } from '../../src/supervisor/supervisor.ts';
import { silent } from '../../src/system/log.ts';
import { identify } from '../../src/system/process/process.ts';
import { holds } from '../fuzz/property.ts';
import { schemaProblems } from '../rig/status-schema.ts';
import { World } from './world.ts';

type Deed =
  | { readonly do: 'boot' | 'panic' | 'kill' | 'pause' | 'fill' | 'resume' | 'hang-up' }
  | {
      readonly do:
        | 'restart'
        | 'rest'
        | 'want'
        | 'knock'
        | 'update'
        | 'update-badly'
        | 'stop'
        | 'hurry'
        | 'deafen'
        | 'mute'
        | 'spoil'
        | 'corrupt'
        | 'block-incidents'
        | 'mend'
        | 'drain'
        | 'settle'
        | 'evict';
    }
  | { readonly do: 'pass' | 'sleep'; readonly ms: number };

const plain = fc.constantFrom(
  ...(['boot', 'boot', 'boot', 'panic', 'kill', 'pause', 'fill', 'resume', 'hang-up'] as const),
  ...([
    'update',
    'update-badly',
    'update-badly',
    'restart',
    'rest',
    'rest',
    'want',
    'knock',
    'deafen',
    'mute',
    'spoil',
    'corrupt',
    'block-incidents',
    'mend',
    'drain',
    'settle',
    'settle',
  ] as const),
);
const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 20, arbitrary: plain.map((what) => ({ do: what })) },
  { weight: 1, arbitrary: fc.constant({ do: 'evict' as const }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(70_000) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('sleep' as const), ms: fc.nat(36_000_000) }),
  },
);

/** One daemon's life, from its start to its end. */
class Life {
  readonly #world: World;
  readonly #supervisor: Supervisor;
  readonly seen: Status[] = [];
  /** How many images there were when one was rejected. */
  #rejected: number | undefined;
  readonly #clients: Socket[] = [];
  isOver = false;

  constructor(world: World) {
    this.#world = world;
    const daemon = identify(process.pid);
    if (daemon === undefined) throw new Error('this process cannot see itself');
    const { layout, clock, config } = world;
    const onStatus = (status: Status) => this.#check(status);
    const isOurs = () => world.isThere;
    const options = { layout, clock, log: silent, policy: defaultPolicy, daemon, isOurs };
    const more = { onStatus, doorSocket: '/nowhere' };
    this.#supervisor = new Supervisor({ ...options, ...more }, { config, problems: [] });
    void this.#supervisor.left.then(() => (this.isOver = true));
    this.#supervisor.dispatch({ type: 'start' });
  }

  get #now(): Status | undefined {
    return this.seen.at(-1);
  }

  async perform(what: Deed): Promise<void> {
    const world = this.#world;
    switch (what.do) {
      case 'boot':
        await this.#until((phase) => phase !== 'starting');
        world.boot();
        return this.#until((phase) => phase !== 'booting');
      case 'panic':
        return world.say('Kernel panic - not syncing: odd');
      case 'kill':
        return world.kill('SIGKILL');
      case 'pause':
        return world.tell('STOP');
      case 'fill':
        world.tell('BLOCK_IO_ERROR', { action: 'stop', nospace: true });
        return world.tell('STOP');
      case 'resume':
        return world.tell('RESUME');
      case 'hang-up':
        return world.hangUp();
      case 'deafen':
        world.isDeaf = true;
        return;
      case 'mute':
        world.isMute = true;
        return;
      case 'spoil':
        return world.spoil();
      case 'corrupt':
        return world.corrupt();
      case 'block-incidents':
        return world.blockIncidents();
      case 'update':
        return world.update();
      case 'update-badly':
        world.update();
        this.#supervisor.dispatch({ type: 'restart', why: 'a new image' });
        await this.#until((phase) => !['starting', 'stopping'].includes(phase));
        return world.say('Kernel panic - not syncing: a new image');
      case 'mend':
        world.mend();
        return this.#supervisor.settle({ config: world.config, problems: [] });
      case 'drain':
        return this.#supervisor.drain(true);
      case 'hurry':
      case 'stop':
        this.#supervisor.dispatch({ type: 'stop' });
        return what.do === 'hurry' ? this.#supervisor.forceStop() : undefined;
      case 'restart':
        return this.#supervisor.dispatch({ type: 'restart', why: 'a test' });
      case 'rest':
        await this.#supervisor.suspend();
        // Whoever asks for that holds the door no longer.
        return this.#supervisor.drain(false);
      case 'want':
        this.#supervisor.onDemand.resume();
        return;
      case 'knock':
        return this.#knock();
      case 'evict':
        world.isThere = false;
        return this.#supervisor.tick();
      case 'settle':
        return this.#until((phase) => !['starting', 'stopping'].includes(phase));
      case 'pass':
        return this.#pass(what.ms);
      case 'sleep':
        await world.clock.jump(what.ms);
        return this.#supervisor.woke(what.ms);
    }
  }

  /** A client of ssh comes to the door, where there is one, and stays. */
  async #knock(): Promise<void> {
    const port = this.#supervisor.doorControl.told?.port;
    if (port === undefined) return;
    const socket = connect({ port, host: '127.0.0.1' }).on('error', () => undefined);
    this.#clients.push(socket);
    socket.write('SSH-2.0-test\r\n');
    await this.#step(5);
  }

  /** The end that is asked for comes, and nothing is left. */
  async end(): Promise<void> {
    const { clock, layout } = this.#world;
    this.#supervisor.dispatch({ type: 'stop' });
    const asked = clock.monotonic();
    // Real processes end in real time, of which a busy machine gives them little: when it would be late, the clock waits for them.
    const late = () => clock.monotonic() - asked - 20_000;
    while (!this.isOver && late() <= 5_000) {
      if (late() >= 0) await new Promise((resolve) => setTimeout(resolve, 5));
      await this.#step(late() < 0 ? 20 : 1);
    }
    for (const socket of this.#clients) socket.destroy();
    expect(this.isOver).toBe(true);
    expect(this.#now?.phase).toBe('stopped');
    expect(this.#world.vms()).toEqual([]);
    expect(this.#world.isVmLocked).toBe(false);
    await clock.advance(0);
    expect(clock.due).toEqual([]);
    if (this.#world.isThere)
      expect(readStatus(layout)).toMatchObject({ status: { phase: 'stopped' } });
  }

  async #step(ms: number): Promise<void> {
    await this.#world.clock.advance(ms);
    await this.#checkFile();
    this.#world.tick();
    this.#supervisor.tick();
    expect(this.#world.vms().length).toBeLessThanOrEqual(1);
  }

  /** When a turn of the event loop is over, the last record is in the file; each turn may bring another. */
  async #checkFile(): Promise<void> {
    if (!this.#world.isThere) return;
    const written = () => JSON.parse(readFileSync(this.#world.layout.status, 'utf8')) as Status;
    const told = () => JSON.parse(JSON.stringify(this.#now)) as Status;
    for (let turns = 0; turns < 20 && !isDeepStrictEqual(written(), told()); turns++)
      await new Promise((resolve) => setImmediate(resolve));
    expect(written()).toEqual(told());
  }

  async #pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1_000) await this.#step(Math.min(left, 1_000));
  }

  async #until(isSo: (phase: string) => boolean): Promise<void> {
    const { clock } = this.#world;
    const begun = clock.monotonic();
    while (!this.isOver && !isSo(this.#now?.phase ?? '')) {
      await this.#step(5);
      if (clock.monotonic() - begun > 300_000) throw new Error('it is wedged');
    }
  }

  /** Each record is whole, and follows from the one before. */
  #check(status: Status): void {
    const before = this.#now;
    this.seen.push(status);
    expect(schemaProblems({ running: true, ...status })).toEqual([]);
    const { phase, attempt = 0, image } = status;
    // The last good image is what is booted after a new one was lost, unless there is a newer one.
    if (status.because?.kind === 'image-rejected') this.#rejected = this.#world.updates;
    if (image !== undefined && phase === 'starting') {
      if (this.#rejected === this.#world.updates) expect(image.prefix).toMatch(/good$/);
      expect(image.instead !== undefined).toBe(image.prefix.endsWith('good'));
    }
    expect(attempt).toBeLessThanOrEqual(defaultPolicy.maxAttempts);
    if (phase === 'away') expect(this.#world.vms()).toEqual([]);
    if (phase === 'ready' && before?.phase !== 'ready')
      expect(this.#world.starts).toBeGreaterThan(0);
    if (phase === 'backing-off') {
      const wait = Date.parse(status.until ?? '') - Date.parse(status.since);
      expect(wait).toBeGreaterThanOrEqual(defaultPolicy.firstDelayMs);
      expect(wait).toBeLessThanOrEqual(defaultPolicy.maxDelayMs);
    }
    // The first reason is kept: what ended a start is what is waited or given up for.
    const because = before?.phase === 'stopping' ? before.because : undefined;
    if (phase === 'backing-off' && before?.phase === 'stopping')
      expect(status.because).toEqual(because);
    if (phase === 'failed' && before?.phase === 'stopping')
      expect(status.because?.kind).toBe(because?.kind);
    if (phase === 'stopping' && before?.phase === 'stopping' && because !== undefined)
      expect([undefined, because.kind, 'directory-lost']).toContain(status.because?.kind);
    // Nobody gets ready without having booted; whose suspend was not to be is as ready as before.
    if (phase === 'ready')
      expect(['booting', 'resuming', 'paused', 'suspending', 'ready']).toContain(before?.phase);
  }
}

holds(
  'never two, never orphaned, never wedged: whatever happens in whatever order',
  5,
  fc.asyncProperty(fc.array(deed, { minLength: 1, maxLength: 25, size: 'max' }), async (deeds) => {
    await using world = await World.make();
    const life = new Life(world);
    for (const what of deeds) if (!life.isOver) await life.perform(what);
    await life.end();
    // The next daemon finds nothing in its way.
    world.mend();
    world.isThere = true;
    const next = new Life(world);
    await next.perform({ do: 'boot' });
    expect(next.seen.at(-1)?.phase).toBe('ready');
    await next.end();
  }),
);
