// What supervision costs, beside runit's runsv, s6's s6-supervise and a Node that does nothing else: a killed child's successor, a
// killed daemon's successor, and ten thousand restarts. The child is the same shell for all; ours goes through all of a real start.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

export interface SupervisionBench {
  readonly checkout: string;
  /** The command line's program, and a configured state directory for it. */
  readonly main: string;
  readonly state: string;
  /** A directory of its own. */
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  row(what: string, measured: string, floor: string, ratio: string, goal: string): void;
}

const samples = 25;
const restarts = 10_000;

export async function benchSupervision(bench: SupervisionBench): Promise<void> {
  mkdirSync(bench.dir);
  await nextChild(bench);
  await nextDaemon(bench);
  await manyRestarts(bench);
}

/** A supervisor whose child has written its pid, on a line of its own, as its first action. */
interface Supervised {
  readonly name: string;
  readonly process: ChildProcess;
  readonly started: string;
  readonly times: number[];
}

async function nextChild({ checkout, dir, env, row }: SupervisionBench): Promise<void> {
  const all = [
    runit(join(dir, 'runit'), env),
    s6(join(dir, 's6'), env),
    node(join(dir, 'node'), env),
    await ours(checkout, dir, env),
  ];
  try {
    for (const each of all) await until(() => lines(each.started) > 0);
    for (let n = 0; n < samples; n++) {
      // runit and s6 start at most once a second.
      await pause(1_100);
      for (const { started, times } of all) times.push(await killAndWait(started));
    }
  } finally {
    for (const { process } of all) process.kill('SIGTERM');
    for (const { process } of all) if (process.exitCode === null) await once(process, 'exit');
  }
  const [floor = NaN, other = NaN, bare = NaN, own = NaN] = all.map(({ times }) => median(times));
  const beside = `${floor.toFixed(1)} ms, runit; ${other.toFixed(1)} ms, s6; ${bare.toFixed(1)} ms, a Node that does nothing else`;
  row('child killed: to the next one', `${own.toFixed(1)} ms`, beside, ratio(own, floor), '≤ 1.6');
}

/** From SIGKILL to the first action of the next, of which the kernel tells us: nobody who looks again and again is in its way. */
async function killAndWait(started: string): Promise<number> {
  const pid = Number(readFileSync(started, 'utf8').trim().split('\n').at(-1));
  const watcher = watch(started);
  const written = once(watcher, 'change');
  const begun = performance.now();
  process.kill(pid, 'SIGKILL');
  await written;
  const ms = performance.now() - begun;
  watcher.close();
  return ms;
}

function runit(dir: string, env: SupervisionBench['env']): Supervised {
  return service('runit', 'runsv', dir, env);
}

/** Told that its service is ready: otherwise it waits a second before each start. */
function s6(dir: string, env: SupervisionBench['env']): Supervised {
  return service('s6', 's6-supervise', dir, env, { 'notification-fd': '3\n' }, 'echo >&3\n');
}

function service(
  name: string,
  program: string,
  dir: string,
  env: SupervisionBench['env'],
  files: Readonly<Record<string, string>> = {},
  more = '',
): Supervised {
  const { started } = child(dir, more);
  for (const [file, text] of Object.entries(files)) writeFileSync(join(dir, file), text);
  return { name, started, times: [], process: spawn(program, [dir], { env, stdio: 'ignore' }) };
}

/** What Node itself takes to start a child again when one has ended. */
function node(dir: string, env: SupervisionBench['env']): Supervised {
  const { run, started } = child(dir);
  const loop = `const { spawn } = require('child_process');
    let child;
    const start = () => (child = spawn(${JSON.stringify(run)}, { stdio: 'ignore' }).once('exit', start));
    process.once('SIGTERM', () => (child.off('exit', start).kill('SIGKILL'), process.exit()));
    start();`;
  const supervisor = spawn(process.execPath, ['-e', loop], { env, stdio: 'ignore' });
  return { name: 'node', started, times: [], process: supervisor };
}

/** A program, in a directory of its own, whose first action is to write down its pid. */
function child(dir: string, more = ''): { readonly run: string; readonly started: string } {
  mkdirSync(dir);
  const [run, started] = [join(dir, 'run'), join(dir, 'started')];
  writeFileSync(run, `#!/bin/sh\necho $$ >>${started}\n${more}exec sleep 600\n`);
  chmodSync(run, 0o755);
  return { run, started };
}

async function ours(
  checkout: string,
  dir: string,
  env: SupervisionBench['env'],
): Promise<Supervised> {
  const file = join(dir, 'where');
  const child = supervised(checkout, env, [file]);
  await until(() => existsSync(file) && readFileSync(file, 'utf8') !== '');
  const started = join(readFileSync(file, 'utf8'), 'started');
  return { name: 'ours', started, times: [], process: child };
}

function supervised(checkout: string, env: SupervisionBench['env'], argv: readonly string[]) {
  const program = join(checkout, '.cache/bench/supervised.mjs');
  execFileSync(join(checkout, 'node_modules/.bin/esbuild'), [
    join(checkout, 'scripts/bench-supervised.ts'),
    '--bundle',
    '--packages=external',
    '--platform=node',
    '--format=esm',
    '--log-level=warning',
    `--outfile=${program}`,
  ]);
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  return spawn(process.execPath, ['--expose-gc', program, ...argv], { env, stdio: [...stdio] });
}

/** Daemon and VM die at once, as with a login session; the next daemon has the lock, and has looked at what they left. */
async function nextDaemon({ main, state, env, row }: SupervisionBench): Promise<void> {
  const log = join(state, 'nix-state/daemon.log');
  const [bare, judged]: number[][] = [[], []];
  let daemon = spawn(process.execPath, [main, 'daemon', '-d', state], { env, stdio: 'ignore' });
  try {
    for (let n = 0; n < 15; n++) {
      await until(() => existsSync(join(state, 'nix-state/qemu.pid')));
      const vm = Number(readFileSync(join(state, 'nix-state/qemu.pid'), 'utf8'));
      process.kill(daemon.pid ?? 0, 'SIGKILL');
      process.kill(vm, 'SIGKILL');
      await once(daemon, 'exit');
      const begun = performance.now();
      execFileSync(process.execPath, ['-e', '0'], { env });
      bare?.push(performance.now() - begun);
      const before = statSync(log).size;
      const from = Date.now();
      daemon = spawn(process.execPath, [main, 'daemon', '-d', state], { env, stdio: 'ignore' });
      const line = await seen(log, before);
      judged?.push(Date.parse(line) - from);
    }
  } finally {
    daemon.kill('SIGTERM');
    await once(daemon, 'exit');
  }
  const [own, floor] = [median(judged ?? []), median(bare ?? [])];
  row(
    'daemon killed: to the next one’s judgement of what was left',
    `${own.toFixed(0)} ms`,
    `${floor.toFixed(0)} ms, \`node -e 0\``,
    ratio(own, floor),
    '≤ 6',
  );
}

/** When the daemon said that it has judged what was left: the time in its log. */
async function seen(log: string, from: number): Promise<string> {
  for (;;) {
    const text = readFileSync(log).subarray(from).toString();
    const time = /"time":"([^"]+)","pid":\d+,"event":"leftovers-judged"/.exec(text)?.[1];
    if (time !== undefined) return time;
    await pause(2);
  }
}

interface Figure {
  readonly starts: number;
  readonly rssMiB: number;
  readonly heapMiB: number;
  readonly descriptors: number;
}

/** After the first tenth and at the end: a heap that grows would show in nine tenths of them. */
async function manyRestarts({ checkout, dir, env, row }: SupervisionBench): Promise<void> {
  const child = supervised(checkout, env, [join(dir, 'where'), String(restarts)]);
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(child, 'close');
  const figures = JSON.parse(Buffer.concat(chunks).toString()) as Figure[];
  const [early, late] = [figures[0], figures.at(-1)];
  if (early === undefined || late === undefined) throw new Error('no figures of restarts');
  const sums = ({ rssMiB, heapMiB, descriptors }: Figure) =>
    `${rssMiB.toFixed(0)} MiB resident, ${heapMiB.toFixed(1)} MiB heap, ${descriptors} descriptors`;
  row(
    `after ${restarts} restarts of a child that ends at once`,
    sums(late),
    `${sums(early)}, after ${early.starts}`,
    ratio(late.heapMiB, early.heapMiB),
    'no growth',
  );
}

const lines = (path: string): number =>
  existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0;
const ratio = (a: number, b: number): string => (a / b).toFixed(2);
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await pause(5);
}
