/**
 * The driver and each answer to what nobody is sure of, by the stand-in's switches: what is launched is the driver's own command line, the
 * guest a few instructions. Whatever the answer is, the driver comes to a VM that runs or to a reason, and the VM process ends.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { checkConfig } from '../../src/config/config.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import { openConsole } from '../../src/guest/console/console.ts';
import { gvproxy } from '../../src/net/gvproxy.ts';
import { vmFailure } from '../../src/supervisor/children/vm-child.ts';
import { untilDiskIsFree } from '../../src/supervisor/disk/disk-free.ts';
import { MemoryWatch } from '../../src/supervisor/health/memory-watch.ts';
import { stop } from '../../src/supervisor/stop/stop.ts';
import { launch, type Child } from '../../src/system/process/child.ts';
import { systemClock, type Clock } from '../../src/system/time/clock.ts';
import { until } from '../../src/system/time/wait.ts';
import { failureOf, type Failure } from '../../src/system/failure.ts';
import { isLocked } from '../../src/system/lock/lock.ts';
import { bundleAt } from '../../src/vm/boot-image.ts';
import type { VmControl } from '../../src/vm/vm-driver.ts';
import { vfkitAbilities } from '../../src/vm/vfkit/vfkit-abilities.ts';
import { vfkit } from '../../src/vm/vfkit/vfkit-control.ts';
import type { Switches } from '../fakes/vfkit/switches.ts';
import { tinyKernels } from '../fakes/vfkit/tiny-kernel.ts';
import { versions } from '../fakes/vfkit/version.ts';
import { reapAfterUs } from '../rig/reaper.ts';
import { makeProgram } from '../rig/stand-in.ts';
import { isMet, needs, type Need } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const tools: Need = { programs: ['setpriv', 'python3', 'qemu-system-aarch64', 'flock'] };

/** Time that goes so many times as fast: the driver's limits are tens of seconds. */
const hasty = (times: number): Clock => ({
  now: () => Date.now(),
  monotonic: () => performance.now() * times,
  sleep: (ms, signal) => systemClock.sleep(ms / times, signal),
  after: (ms, fn) => systemClock.after(ms / times, fn),
});

let dir = '';
let program = '';
let layout: Layout;
let vm: Child | undefined;
let peer: ChildProcess | undefined;

beforeAll(async () => {
  if (!isMet(tools)) return;
  dir = mkdtempSync(join(tmpdir(), 'vfa-'));
  reapAfterUs(dir);
  program = await makeProgram(dir, 'vfkit');
  layout = layoutOf(join(dir, 's'));
  mkdirSync(layout.state, { recursive: true });
  writeFileSync(layout.initrd, Buffer.alloc(512));
  writeFileSync(layout.disk, Buffer.alloc(4096));
});
afterEach(async () => {
  peer?.kill('SIGKILL');
  peer = undefined;
  await vm?.stop(0);
  vm = undefined;
  const { gramSocket, vmOutput, consoleRing, consoleLog } = layout;
  for (const path of [...vfkit.stale(layout), gramSocket, vmOutput, consoleRing, consoleLog])
    rmSync(path, { force: true });
});
afterAll(() => {
  if (dir !== '') removeTree(dir);
});

/** Somebody behind the network's socket, who says what comes first, or the file of somebody who is gone. */
async function network(isAlive = true): Promise<void> {
  const script = `import socket,sys
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("ready",flush=True)
${isAlive ? 'print(s.recv(99),flush=True); sys.stdin.read()' : ''}`;
  peer?.kill('SIGKILL');
  rmSync(layout.gramSocket, { force: true });
  peer = spawn('python3', ['-c', script, layout.gramSocket], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  // It may be gone before its word is read.
  const gone = once(peer, 'exit');
  await once(peer.stdout ?? peer, 'data');
  if (!isAlive) await gone;
}

interface Life {
  readonly vm: Child;
  readonly machine: VmControl | undefined;
  /** Why there is no machine. */
  readonly failure: Failure | undefined;
  readonly news: readonly string[];
}

/** Launches the driver's own command line and attaches to it, as a start does. */
async function begin(
  switches: Switches = {},
  { kernel = 'waits', cpus = 1 }: { kernel?: keyof typeof tinyKernels; cpus?: number } = {},
): Promise<Life> {
  writeFileSync(`${program}.switches`, JSON.stringify({ arch: 'arm64', bare: true, ...switches }));
  writeFileSync(layout.kernel, tinyKernels[kernel]);
  const child = await launchIt(cpus);
  const news: string[] = [];
  const gone = new AbortController();
  void child.ended.then(() => gone.abort(new Error('it ended')));
  let failure: Failure | undefined;
  const machine = await vfkit
    .attach({
      layout,
      clock: hasty(10),
      signal: gone.signal,
      network: network_(),
      signalVm: (name) => child.signal(name),
      onLost: ({ kind }) => news.push(kind),
    })
    .catch((error: unknown) => {
      failure = failureOf(error);
      return undefined;
    });
  return { vm: child, machine, failure, news };
}

/** What a start launches, until then; a kernel is there. */
async function launchIt(cpus = 1): Promise<Child> {
  const plan = vfkit.plan({
    config: configOf(cpus),
    layout,
    program,
    accelerator: 'hvf',
    cmdline: 'quiet',
    bundle: bundleAt(join(dir, 'none')),
    network: network_(),
    uuid: '',
  });
  const files = { output: layout.vmOutput, lock: layout.vmLock };
  const child = await launch(plan, files, systemClock);
  if ('kind' in child) throw new Error(child.reason);
  vm = child;
  return child;
}

const network_ = () => gvproxy.network({ layout, link: 'vfkit-dgram', uuid: '' });

function configOf(cpus: number) {
  const host = { arch: 'arm64', platform: 'darwin', cpus: 64, memoryMiB: 65_536 } as const;
  const parsed = checkConfig(
    { vm: 'vfkit', cpus, memoryMiB: 512 },
    { ...host, diskGiB: 500, diskFreeGiB: 100 },
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

const words = () => {
  const said = existsSync(layout.vmOutput) ? readFileSync(layout.vmOutput, 'utf8') : '';
  const output = said.split('\n');
  return { last: () => output, poke: () => undefined, close: () => Promise.resolve() };
};
const tried = { driver: vfkit };

/** What the end of a VM process means that nobody asked for. */
async function meaning({ vm }: Life): Promise<Failure> {
  const ended = await vm.ended;
  const guest = { lastLines: () => [], readConsole: () => undefined };
  const of = { output: words(), memory: new MemoryWatch() };
  return vmFailure(layout, { running: { tried }, guest }, of, ended);
}

/** The orderly end, in ever firmer steps. */
async function ends({ vm, machine }: Life): Promise<void> {
  const child = { child: vm, output: words(), memory: new MemoryWatch(), keep: () => undefined };
  await stop(
    { tried, vm: { ...child, ...(machine === undefined ? {} : { machine }) } },
    {
      clock: hasty(40),
      layout,
      frozen: false,
      dead: false,
      isOurs: () => true,
      log: () => undefined,
      agent: () => undefined,
      listens: () => false,
      closeConsole: () => Promise.resolve(),
      now: new AbortController().signal,
    },
  );
  await vm.ended;
  const left = vfkit.stale(layout).filter((path) => existsSync(path));
  expect(left).toEqual([]);
}

// Behaviour 237: Where it is not known how vfkit behaves, each possible behaviour leads to a running guest, or to a
// message that says why there is none. No vfkit process is left behind.
describe('the driver survives', needs(tools), () => {
  test.each(versions)('vfkit %s: its version, a start, and an end', async (version) => {
    await network();
    const life = await begin({ version });
    expect(life.failure).toBeUndefined();
    expect(await vfkitAbilities(program, AbortSignal.timeout(60_000))).toMatchObject({ version });
    expect(await life.machine?.describe()).toMatchObject({ state: 'Running' });
    await ends(life);
  });

  test.each(['refused', 'taken'] as const)(
    'more processors than the Mac has: %s',
    async (oddSizes) => {
      await network();
      const life = await begin({ oddSizes }, { cpus: 64 });
      if (oddSizes === 'taken') return ends(life);
      expect(await meaning(life)).toMatchObject({ kind: 'vm-usage', recovery: 'give-up' });
    },
  );

  test.each(['refused', 'hangs'] as const)(
    'a disk that another one locks between the look and the start: %s',
    async (lockedDisk) => {
      await network();
      const holder = spawn('flock', [layout.disk, 'sh', '-c', 'echo has; read _'], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      try {
        await once(holder.stdout, 'data');
        const life = await begin({ lockedDisk });
        expect(life.machine).toBeUndefined();
        if (lockedDisk === 'refused')
          expect(await meaning(life)).toMatchObject({ kind: 'vm-disk-busy', recovery: 'wait' });
        else expect(life.failure?.kind).toBe('vm-stuck');
        await ends(life);
      } finally {
        holder.stdin.end();
      }
    },
  );

  test.each(['refused', 'taken'] as const)(
    'a network socket with nobody behind it: %s',
    async (deadPeer) => {
      await network(false);
      const life = await begin({ deadPeer });
      // Where it is taken the guest has no network, which the boot's own deadline finds.
      if (deadPeer === 'taken') return ends(life);
      expect(await meaning(life)).toMatchObject({ kind: 'vm-network-away' });
      expect((await meaning(life)).recovery).toBeUndefined();
    },
  );

  test('a vfkit that is not signed: a reason, and no second try', async () => {
    await network();
    const life = await begin({ unsigned: true });
    expect(await meaning(life)).toMatchObject({ kind: 'vm-forbidden', recovery: 'give-up' });
  });

  test.each([
    { sigterm: 'ends', canRequestStop: true },
    { sigterm: 'hangs', canRequestStop: true },
    { sigterm: 'ends', canRequestStop: false },
    { sigterm: 'hangs', canRequestStop: false },
  ] as const)('a SIGTERM and a button of which %j is so', async (switches) => {
    await network();
    const life = await begin({ ...switches, patienceMs: 100 });
    await ends(life);
    // Without a way to tell it there are signals alone.
    await network();
    const second = await begin({ ...switches, patienceMs: 100 });
    await ends({ ...second, machine: undefined });
  });

  test.each(['cut', 'sent'] as const)('an answer to HardStop that is %s', async (hardStopReply) => {
    await network();
    const life = await begin({ hardStopReply });
    await life.machine?.hardStop?.();
    expect(await life.vm.ended).toEqual({ kind: 'exited', code: 0 });
    await ends(life);
  });

  test.each(['goes-on', 'ends'] as const)('a guest that reboots: %s', async (reboot) => {
    await network();
    const life = await begin({ reboot }, { kernel: 'reset' });
    if (reboot === 'ends') expect(await meaning(life)).toMatchObject({ kind: 'guest-powered-off' });
    // Else the second first stage on the console tells, which these instructions do not write.
    else expect(life.machine).toBeDefined();
    await ends(life);
  });

  test('a start that fails when its console is empty already: what stood there is in the log', async () => {
    await network();
    writeFileSync(layout.consoleRing, 'the last words of an earlier guest\r\n');
    const { consoleRing: path, consoleLog: logPath } = layout;
    const onLine = () => undefined;
    const console = openConsole({ path, logPath, kind: 'append', clock: systemClock, onLine });
    const life = await begin({ unsigned: true });
    expect(await meaning(life)).toMatchObject({ kind: 'vm-forbidden' });
    await console.close();
    expect(readFileSync(path, 'utf8')).toBe('');
    expect(readFileSync(logPath, 'utf8')).toContain('the last words of an earlier guest');
  });

  // It dies of that, and leaves what it has made so far.
  test('a SIGTERM at once, which it does not catch yet', async () => {
    await network();
    writeFileSync(`${program}.switches`, JSON.stringify({ arch: 'arm64', bare: true }));
    const child = await launchIt();
    await ends({ vm: child, machine: undefined, failure: undefined, news: [] });
    await network();
    const next = await begin();
    expect(next.failure).toBeUndefined();
    await ends(next);
  });

  test('a network that answers only its first peer: vfkit is that, and not we', async () => {
    await network();
    let said = '';
    peer?.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const api = createServer((socket) =>
      socket.on('error', () => undefined).end('HTTP/1.0 200 OK\r\n\r\n'),
    );
    await new Promise<void>((resolve) => api.listen(layout.gvproxy, resolve));
    try {
      const { signal } = new AbortController();
      const options = {
        layout,
        link: 'vfkit-dgram',
        uuid: '',
        clock: systemClock,
        signal,
      } as const;
      await gvproxy.ready(options);
      const life = await begin();
      await until(() => said.includes("'"), { clock: systemClock, everyMs: 5, timeoutMs: 50_000 });
      expect(said.trim()).toBe("b'VFKT'");
      await ends(life);
    } finally {
      api.close();
    }
  });

  test('a VM that does not run in time', async () => {
    await network();
    const life = await begin({ neverRuns: true, patienceMs: 300 });
    expect(await meaning(life)).toMatchObject({ kind: 'vm-slow-start' });
  });

  test('a disk that stays locked for a while when vfkit is killed', async () => {
    await network();
    const life = await begin({ lockLingersMs: 500 });
    await life.vm.stop(0);
    expect(isLocked(layout.disk)).toBe(true);
    const options = { clock: systemClock, signal: new AbortController().signal };
    await untilDiskIsFree(layout.disk, { ...options, log: () => undefined });
    expect(isLocked(layout.disk)).toBe(false);
    expect(readdirSync(layout.state)).toContain('vfkit.sock');
    // What was left is no obstacle to the next one.
    await ends({ ...life, machine: undefined });
    await network();
    const next = await begin();
    expect(next.failure).toBeUndefined();
    await ends(next);
  });
});
