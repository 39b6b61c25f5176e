// The benchmark: each figure is a median of interleaved runs, set against a floor that was measured beside it.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { benchBoot } from './bench-boot.ts';
import { benchCopies } from './bench-copies.ts';
import { benchDoor } from './bench-door.ts';
import { benchGiveBack } from './bench-give-back.ts';
import { benchWays } from './bench-door-ways.ts';
import { benchLogin } from './bench-login.ts';
import { benchHyperkit } from './bench-hyperkit.ts';
import { PastDoor } from './bench-past.ts';
import { benchSupervision } from './bench-supervision.ts';
import { benchWake } from './bench-wake.ts';
import { benchWork } from './bench-work.ts';
import { layoutOf } from '../src/config/layout.ts';

const [checkout = '.', ...words] = process.argv.slice(2);
const isLong = words.includes('--long');
const wanted = words.filter((word) => word !== '--long');
const main = join(checkout, 'dist/main.js');
const image = process.env['LINUXKIT_TEST_IMAGE'] ?? join(checkout, '.cache/test-image/builder');
const base = mkdtempSync(join(tmpdir(), 'b-'));
// configure takes a directory that is not there yet.
const state = join(base, 's');
const home = join(base, 'home');
// A machine's own settings, such as extra certificates, would cost every Node 40 ms.
const env = { PATH: process.env['PATH'] ?? '', HOME: home, LINUXKIT_BUILDER_TREE: home };
const rows: string[] = [];
const pastDoor = new PastDoor();
// Here, since the benchmarks run before the module's last line is reached.
const looker = "setInterval(() => require('fs').statSync('/'), 5_000)";
const benches = {
  cli: benchCli,
  image: benchImage,
  boot: () => benchBoot({ state, image, before: process.env['LINUXKIT_BENCH_BEFORE'], cli, ratio }),
  idle: benchIdle,
  door: async () => {
    const ports = await startWithPorts();
    return benchDoor({ state, dir: join(state, 'door'), env, ports, ratio });
  },
  copies: async () => {
    const ports = await startWithPorts();
    return benchCopies({ state, dir: join(state, 'copies'), env, ports, ratio });
  },
  login: async () => benchLogin({ state, env, ports: await startWithPorts(), ratio }),
  work: async () => {
    const ports = await startWithPorts();
    const pieces = isLong ? 12 : 3;
    return benchWork({ state, dir: join(state, 'work'), env, ports, pieces, ratio });
  },
  'give-back': () => {
    start();
    return benchGiveBack({ state, cli, row, isLong });
  },
  'door-ways': async () => {
    const { past } = await startWithPorts();
    const pieces = isLong ? 12 : 4;
    return benchWays({ state, dir: join(state, 'ways'), env, past, pieces, ratio });
  },
  wake: () => {
    start();
    return benchWake({ state, port, cli, ratio });
  },
  supervision: () =>
    benchSupervision({ checkout, main, state, dir: join(state, 'supervision'), env, row }),
  hyperkit: async () =>
    benchHyperkit({ main, image, dir: join(state, 'h'), port: await freePort(), env, row }),
};
let port = 0;

for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => {
    leave();
    process.exit(130);
  });
try {
  if (!existsSync(`${image}-kernel`))
    throw new Error(`No image at ${image}: run scripts/test setup image.`);
  mkdirSync(home);
  port = await freePort();
  cli(
    'configure',
    '--no-root',
    '-q',
    '--bundle',
    image,
    '--port',
    String(port),
    '-c',
    '2',
    '-m',
    '2048',
    '-s',
    '8',
  );
  for (const [name, measure] of Object.entries(benches)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    console.error(`measuring: ${name}`);
    await measure();
    stop();
  }
} finally {
  leave();
}
console.log(
  `${cpus().length} × ${cpus()[0]?.model ?? '?'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}\n`,
);
console.log(
  '| what | measured | floor beside it | ratio | goal |\n| --- | --- | --- | --- | --- |',
);
for (const line of rows) console.log(line);
if (pastDoor.isRelayed)
  console.log(
    "\nThis QEMU opens no port: what goes past the door goes through a relay of the bench's.",
  );

function cli(...argv: string[]): string {
  const [command = '', ...rest] = argv;
  return execFileSync(process.execPath, [main, command, '-d', state, ...rest], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
function start(): void {
  cli('start');
  cli('wait');
}
/** A guest that is ready, and where its sshd is reached through our door and past it. */
async function startWithPorts(): Promise<{ readonly through: number; readonly past: number }> {
  start();
  const { tunnelPort } = JSON.parse(cli('status', '--json')) as { tunnelPort?: number };
  return { through: port, past: await pastDoor.port(tunnelPort, layoutOf(state).guestSsh) };
}
/** Nothing of the bench stays, also where it is ended before its time. */
function leave(): void {
  stop();
  pastDoor.end();
  // Nix takes write permission from what it stores.
  if (existsSync(base)) spawnSync('chmod', ['-R', 'u+w', base], { stdio: 'ignore' });
  rmSync(base, { recursive: true, force: true });
}
function stop(): void {
  spawnSync(process.execPath, [main, 'stop', '-d', state], { env, stdio: 'ignore' });
}

/** status, and the daemon's start to its listening door, against a Node that does nothing. */
async function benchCli(): Promise<void> {
  start();
  const bare: number[] = [];
  const status: number[] = [];
  for (let n = 0; n < 15; n++) {
    bare.push(time(() => execFileSync(process.execPath, ['-e', '0'], { env })));
    status.push(time(() => cli('status')));
  }
  stop();
  ratio('`status`', status, bare, 'ms', '`node -e 0`', 3);
  const door: number[] = [];
  for (let n = 0; n < 9; n++) door.push(await timeToDoor());
  ratio('daemon: start to listening door', door, bare, 'ms', '`node -e 0`', 4);
}

async function timeToDoor(): Promise<number> {
  const begun = performance.now();
  const daemon = spawn(process.execPath, [main, 'daemon', '-d', state], { env, stdio: 'ignore' });
  while (!(await answers())) continue;
  const ms = performance.now() - begun;
  daemon.kill('SIGTERM');
  await once(daemon, 'exit');
  return ms;
}

function answers(): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => (socket.destroy(), done(true)));
    // A pause, so that the daemon has both cores as it would without anybody who looks.
    socket.on('error', () => setTimeout(() => done(false), 1));
  });
}

function benchImage(): void {
  const cache = join(checkout, '.cache/image-state');
  const times = [0, 1, 2].map((n) => {
    const output = join(state, `image-${n}/builder`);
    const ms = time(() =>
      execFileSync(process.execPath, [main, 'image', 'build', '-q', '-d', cache, '-o', output], {
        env,
      }),
    );
    rmSync(join(state, `image-${n}`), { recursive: true });
    return ms / 1000;
  });
  absolute('`image build`, packages in the cache', times, 's', 10);
}

/** A ready guest with nothing to do, for a minute after it has settled. */
async function benchIdle(): Promise<void> {
  start();
  const pid = readFileSync(join(state, 'nix-state/daemon.pid'), 'utf8').trim();
  // What a wake-up and a look cost here, which is the machine's affair: translated timers, cold caches, others' work.
  const beside = spawn(process.execPath, ['-e', looker], { env, stdio: 'ignore' });
  const [ready, floor] = await Promise.all([spentIn(pid), spentIn(String(beside.pid))]);
  absolute('idle daemon, ready guest: wake-ups of all threads', [ready.wakes], '/s', 0.5);
  absolute('idle daemon, ready guest: all threads', [ready.cpu], '% of a core', 0.05);
  ratio('the same', [ready.cpu], [floor.cpu], '%', 'a Node that looks at a file every 5 s', 8);
  absolute('idle daemon, ready guest: resident', [residentMiB(pid)], 'MiB', 60);
  cli('suspend');
  const away = await spentIn(pid);
  beside.kill();
  absolute('idle daemon, guest away: wake-ups of all threads', [away.wakes], '/s', 0.2);
  absolute('idle daemon, guest away: all threads', [away.cpu], '% of a core', 0.05);
  absolute('idle daemon, guest away: resident', [residentMiB(pid)], 'MiB', 60);
  const children = childrenOf(pid).map(residentMiB);
  absolute('VM and network, guest away: resident', [children.reduce((a, b) => a + b, 0)], 'MiB', 0);
}

/** What a process keeps of the memory; 0 where it has ended. */
function residentMiB(pid: string): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** All that it has started and that lives: proc(5), children. */
function childrenOf(pid: string): string[] {
  return readdirSync(`/proc/${pid}/task`)
    .flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' '))
    .filter((child) => child.trim() !== '');
}

/** What it takes in a minute after it has settled: wake-ups a second, % of a core. */
async function spentIn(pid: string): Promise<{ readonly wakes: number; readonly cpu: number }> {
  // Until the guest was tidied, and V8 has collected its garbage: three times in the first two minutes of quiet, and then no more.
  await pause(150_000);
  const [before, begun] = [threadsOf(pid), performance.now()];
  await pause(60_000);
  const seconds = (performance.now() - begun) / 1000;
  const spent = [...threadsOf(pid)].map(([thread, { wakes, cpuMs }], n) => {
    const { wakes: wakesBefore, cpuMs: cpuMsBefore } = before.get(thread) ?? { wakes: 0, cpuMs: 0 };
    const cpu = (cpuMs - cpuMsBefore) / (10 * seconds);
    const each = { wakes: (wakes - wakesBefore) / seconds, cpu };
    console.error(`thread ${n}: ${each.wakes.toFixed(3)} /s, ${each.cpu.toFixed(4)} %`);
    return each;
  });
  const sum = (of: 'wakes' | 'cpu') => spent.reduce((all, each) => all + each[of], 0);
  return { wakes: sum('wakes'), cpu: sum('cpu') };
}

/** What each thread has taken so far, the main one first. */
function threadsOf(pid: string) {
  const threads = readdirSync(`/proc/${pid}/task`).sort((a, b) => Number(a) - Number(b));
  return new Map(
    threads.map((thread) => {
      const of = (file: string) => readFileSync(`/proc/${pid}/task/${thread}/${file}`, 'utf8');
      const wakes = Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(of('status'))?.[1]);
      return [thread, { wakes, cpuMs: Number(of('schedstat').split(' ')[0]) / 1e6 }];
    }),
  );
}

function time(work: () => unknown): number {
  const begun = performance.now();
  work();
  return performance.now() - begun;
}

function ratio(
  what: string,
  values: readonly number[],
  floor: readonly number[],
  unit: string,
  of: string,
  goal: number,
): void {
  const [a, b] = [median(values), median(floor)];
  const floorText = `${round(b)} ${unit}, ${of}`;
  row(what, `${round(a)} ${unit}`, floorText, (a / b).toFixed(2), `≤ ${goal}`);
}
function absolute(what: string, values: number[], unit: string, goal: number): void {
  row(what, `${round(median(values))} ${unit}`, '', '', `≤ ${goal} ${unit}`);
}
function row(...cells: readonly string[]): void {
  rows.push(`| ${cells.join(' | ')} |`);
}
function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(2);
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: free } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return free;
}
