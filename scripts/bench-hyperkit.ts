// HyperKit's part of the benchmark: what the console ring, the watch over the children and the way over vsock cost. The programs
// are the stand-ins of test/rig, the guest is the real one.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { systemClock } from '../src/system/time/clock.ts';
import { Ring } from '../src/guest/console/ring.ts';
import { LineSplitter } from '../src/system/files/line-splitter.ts';
import { RingFile } from '../test/rig/hyperkit/ring-file.ts';
import { makeProgram } from '../test/rig/stand-in.ts';

export interface HyperkitBench {
  /** The command line's program. */
  readonly main: string;
  readonly image: string;
  /** A directory of its own. */
  readonly dir: string;
  readonly port: number;
  readonly env: Readonly<Record<string, string>>;
  row(what: string, measured: string, floor: string, ratio: string, goal: string): void;
}

/** The console's own default: what src/guest/console/console.ts begins with. */
const pollMs = 100;
const rounds = 5;

export async function benchHyperkit(bench: HyperkitBench): Promise<void> {
  mkdirSync(bench.dir);
  await followRing(bench);
  await watchSilentRing(bench);
  const builder = await new Builder(bench).configured();
  try {
    await decisions(bench, builder);
    await throughput(bench, builder);
  } finally {
    builder.stop();
  }
}

/** Another process writes a megabyte a second, as a serial port does: steadily. Every line has its number. */
async function followRing({ dir, row }: HyperkitBench): Promise<void> {
  const path = join(dir, 'ring');
  const seconds = 10;
  const splitter = new LineSplitter();
  let [lines, outOfTurn, lost, bytes] = [0, 0, 0, 0];
  const onBytes = (chunk: Buffer) => {
    bytes += chunk.length;
    for (const line of splitter.push(chunk)) if (Number(line.slice(5, 14)) !== lines++) outOfTurn++;
  };
  new RingFile(path).close();
  const ring = new Ring({
    path,
    clock: systemClock,
    pollMs,
    onBytes,
    onLost: (count) => (lost += count),
  });
  const before = process.cpuUsage();
  const writer = spawn(process.execPath, ['-e', writerScript, path, String(seconds)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = (await once(writer.stdout, 'data')) as [Buffer];
  const { user, system } = process.cpuUsage(before);
  await systemClock.sleep(500);
  await ring.stop();
  const [written = NaN, tookMs = NaN] = String(said).split(' ').map(Number);
  const missing = written - bytes;
  row(
    `console ring: ${(written / tookMs / 1000).toFixed(2)} MB/s for ${seconds} s`,
    `${missing} bytes not read, ${outOfTurn} lines out of turn, ${lost} bytes told lost`,
    '',
    `${((user + system) / 10 / tookMs).toFixed(1)} % of a core`,
    'no loss',
  );
}

/** 2 KiB at most a turn: one that was late makes up for it slowly, as a serial port would. */
const writerScript = `
const { openSync, writeSync } = require('node:fs');
const [path, seconds] = process.argv.slice(1);
const fd = openSync(path, 'r+');
let at = 0, written = 0, line = 0, rest = Buffer.alloc(0);
const begun = performance.now();
const turn = () => {
  const ms = performance.now() - begun;
  const over = ms > seconds * 1000;
  // The last line to its end.
  const due = over ? rest.length : Math.min(2048, Math.floor(ms * 1000) - written);
  while (rest.length < due) rest = Buffer.concat([rest, Buffer.from('line ' + String(line++).padStart(9, '0') + ' of what a guest says\\r\\n')]);
  for (let from = 0; from < due; ) {
    const count = Math.min(due - from, 65536 - at);
    writeSync(fd, rest, from, count, at);
    from += count; at = (at + count) % 65536;
  }
  if (due > 0) { rest = rest.subarray(due); written += due; }
  if (over) return void process.stdout.write(written + ' ' + ms);
  setTimeout(turn, 1);
};
turn();`;

async function watchSilentRing({ dir, row }: HyperkitBench): Promise<void> {
  const path = join(dir, 'silent');
  const file = new RingFile(path);
  file.write(Buffer.alloc(70_000, 'some line of a guest\n'));
  const ring = new Ring({ path, clock: systemClock, pollMs, onBytes: () => undefined });
  ring.poke();
  const ms = 10_000;
  await systemClock.sleep(1_000);
  const before = process.cpuUsage();
  await systemClock.sleep(ms);
  const { user, system } = process.cpuUsage(before);
  await ring.stop();
  file.close();
  const share = (user + system) / 10 / ms;
  row('console ring, silent, in a boot', `${share.toFixed(2)} % of a core`, '', '', '< 2 %');
}

/** A child is killed while the guest boots; the daemon's log says when it had decided. */
async function decisions({ row }: HyperkitBench, builder: Builder): Promise<void> {
  for (const child of ['vmPid', 'networkPid'] as const) {
    const took: number[] = [];
    for (let round = 0; round < rounds; round++) {
      builder.cli('start');
      const pid = await builder.pidOf(child);
      const killed = Date.now();
      process.kill(pid, 'SIGKILL');
      took.push(Date.parse(await builder.failureSince(killed)) - killed);
      builder.stop();
    }
    const what = child === 'vmPid' ? 'HyperKit' : 'VPNKit';
    const worst = `worst of ${rounds}: ${Math.max(...took)} ms`;
    row(`${what} dies: to the decision`, `${median(took)} ms`, '', worst, '≤ 50 ms');
  }
}

/** Over vsock through the door, against QEMU's own port to the same relay in the guest: past the door and the stand-in. */
async function throughput({ port, row }: HyperkitBench, builder: Builder): Promise<void> {
  builder.cli('start');
  builder.cli('wait');
  const direct = await relayPort(await builder.pidOf('vmPid'));
  const megabytes = 16;
  const ways = {
    'out of the guest': () => `head -c ${megabytes}000000 /dev/zero`,
    'into the guest': () => 'cat >/dev/null',
  };
  for (const [way, command] of Object.entries(ways)) {
    const input = way.startsWith('into') ? megabytes * 1e6 : 0;
    const through: number[] = [];
    const past: number[] = [];
    await builder.ssh(port, command(), input);
    for (let round = 0; round < rounds; round++) {
      past.push(megabytes / (await builder.ssh(direct, command(), input)));
      through.push(megabytes / (await builder.ssh(port, command(), input)));
    }
    const [a, b] = [median(through), median(past)];
    const floor = `${b.toFixed(1)} MB/s, a direct connection`;
    const ratio = (a / b).toFixed(2);
    row(`door over vsock, ${way}`, `${a.toFixed(1)} MB/s`, floor, ratio, '≥ 0.8');
  }
}

/** The port of this host behind which QEMU carries to the relay of vsock port 22. */
async function relayPort(hyperkitPid: number): Promise<number> {
  const ps = execFileSync('ps', ['-o', 'pid=', '--ppid', String(hyperkitPid)], {
    encoding: 'utf8',
  });
  const fds = `/proc/${ps.trim()}/fd`;
  const held = new Set(readdirSync(fds).map((fd) => readlinkSync(join(fds, fd))));
  const rows = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1);
  for (const fields of rows.map((line) => line.trim().split(/\s+/))) {
    if (fields[3] !== '0A' || !held.has(`socket:[${fields[9] ?? ''}]`)) continue;
    const port = parseInt(fields[1]?.split(':')[1] ?? '', 16);
    if (await greets(port)) return port;
  }
  throw new Error('QEMU has no port that leads to the sshd of the guest');
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const settle = (value: boolean) => {
      socket.destroy();
      resolve(value);
    };
    socket.setTimeout(5_000, () => settle(false)).on('error', () => settle(false));
    socket.once('data', (chunk) => settle(chunk.toString('latin1').startsWith('SSH-2.0-')));
  });
}

/** The builder that is measured, by its own command line. */
class Builder {
  readonly #bench: HyperkitBench;
  readonly #state: string;
  #env: Readonly<Record<string, string>> = {};

  constructor(bench: HyperkitBench) {
    this.#bench = bench;
    this.#state = join(bench.dir, 's');
  }

  async configured(): Promise<this> {
    const { dir, env, image, port } = this.#bench;
    for (const name of ['hyperkit', 'vpnkit'] as const) await makeProgram(dir, name);
    this.#env = { ...env, PATH: [join(dir, 'bin'), env['PATH']].join(delimiter) };
    const size = ['--port', String(port), '-c', '2', '-m', '1024', '-s', '4'];
    const programs = ['--vm', 'hyperkit', '--network', 'vpnkit', '--bundle', image];
    this.cli('configure', '--no-root', '-q', ...programs, ...size);
    return this;
  }

  cli(command: string, ...argv: string[]): string {
    return execFileSync(process.execPath, [this.#bench.main, command, '-d', this.#state, ...argv], {
      env: this.#env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  stop(): void {
    this.cli('stop');
  }

  async pidOf(child: 'vmPid' | 'networkPid'): Promise<number> {
    for (;;) {
      const status = JSON.parse(this.#read('status.json')) as Record<string, number | undefined>;
      // Both are there and the guest runs: the VM's pid comes last.
      if (status['vmPid'] !== undefined) return status[child] ?? NaN;
      await systemClock.sleep(20);
    }
  }

  /** Time of the first failure in the log that is not older. */
  async failureSince(ms: number): Promise<string> {
    for (;;) {
      const lines = this.#read('daemon.log').trim().split('\n');
      for (const line of lines) {
        const { event, failure, time } = JSON.parse(line) as Record<string, string | undefined>;
        if (event === 'phase' && failure !== undefined && Date.parse(time ?? '') >= ms)
          return time ?? '';
      }
      await systemClock.sleep(20);
    }
  }

  /** Seconds of one command over ssh. */
  async ssh(port: number, command: string, inputBytes: number): Promise<number> {
    const begun = performance.now();
    const config = join(this.#state, 'ssh_config');
    const ssh = spawn('ssh', ['-F', config, '-p', String(port), 'nix-linuxkit', command], {
      env: this.#env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    ssh.stdout.resume();
    ssh.stdin.end(Buffer.alloc(inputBytes, 7));
    const [code] = (await once(ssh, 'close')) as [number];
    if (code !== 0) throw new Error(`ssh ended with ${code}`);
    return (performance.now() - begun) / 1000;
  }

  #read(name: string): string {
    return readFileSync(join(this.#state, 'nix-state', name), 'utf8');
  }
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}
