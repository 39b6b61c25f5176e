// What a door that is a socket costs beside one that is a port: two doors of the same code before the same guest, in turn.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDoor, type Door } from '../src/door/door.ts';
import { findHelper, proxyCommand } from '../src/nix/ssh/door-helper.ts';
import { systemClock } from '../src/system/time/clock.ts';
import { silent } from '../src/system/log.ts';
import type { Ratio } from './bench-ratio.ts';

export interface WaysBench {
  /** The state directory of a builder whose guest is ready. */
  readonly state: string;
  /** A directory of its own. */
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  /** Where QEMU leads to sshd. */
  readonly past: number;
  /** So many times 25 derivations, each way. */
  readonly pieces: number;
  readonly ratio: Ratio;
}

const size = 256 * 1024 ** 2;
const copies = 5;
const derivations = 25;

export async function benchWays(bench: WaysBench): Promise<void> {
  const { dir, state, pieces } = bench;
  const socket = join(dir, 'door/socket');
  mkdirSync(join(dir, 'door'), { recursive: true, mode: 0o700 });
  const port = await opened({ kind: 'tcp', port: 0 }, bench.past);
  const unix = await opened({ kind: 'unix', path: socket }, bench.past);
  try {
    const helper = await findHelper({ signal: new AbortController().signal });
    const stanza = readFileSync(join(state, 'ssh_config'), 'utf8');
    const tcpPort = port.place.kind === 'tcp' ? port.place.port : 0;
    const ways = {
      tcp: stanza.replace(/Port \d+/, `Port ${tcpPort}`),
      unix: stanza.replace('ProxyCommand none', `ProxyCommand ${proxyCommand(helper, socket)}`),
    };
    for (const [name, text] of Object.entries(ways)) writeFileSync(join(dir, name), text);
    await askNoCache(bench);
    const bytes = await inTurn(copies, (way) => send(bench, way));
    bench.ratio('256 MiB by ssh, through a socket', bytes.unix, bytes.tcp, 's', 'a port', 1.5);
    // The first one also makes the stores.
    await build(bench, 'tcp', 1);
    const built = await inTurn(pieces, (way) => build(bench, way, derivations));
    const each = (seconds: number[]) => seconds.map((piece) => piece / derivations);
    const what = `a trivial derivation, of ${pieces * derivations}, through a socket`;
    bench.ratio(what, each(built.unix), each(built.tcp), 's', 'a port', 1.1);
  } finally {
    await Promise.all([port.close(), unix.close()]);
  }
}

async function opened(place: Door['place'], past: number): Promise<Door> {
  const door = await openDoor({ place, holdMs: () => 60_000, clock: systemClock, log: silent });
  door.release({ kind: 'tcp', host: '127.0.0.1', port: past });
  return door;
}

type Way = 'tcp' | 'unix';

/** Seconds of each way; neither is always first. */
async function inTurn(
  rounds: number,
  work: (way: Way) => Promise<void>,
): Promise<Record<Way, number[]>> {
  const times: Record<Way, number[]> = { tcp: [], unix: [] };
  for (let n = 0; n < rounds; n++)
    for (const way of n % 2 === 0 ? (['tcp', 'unix'] as const) : (['unix', 'tcp'] as const)) {
      const begun = performance.now();
      await work(way);
      times[way].push((performance.now() - begun) / 1000);
    }
  return times;
}

/** Where there is no network, the guest's Nix would wait for its cache before each build; where there is, as long as that takes. */
async function askNoCache(bench: WaysBench): Promise<void> {
  const root = ['-o', 'User=root', '-o', `IdentityFile=${join(bench.state, 'keys/root_ed25519')}`];
  const script = `echo 'substitute = false' >>/etc/nix/nix.conf; kill $(busybox pidof nix-daemon)`;
  await runInGuest(bench, root, script);
  const ping = 'until nix store ping --store daemon >/dev/null 2>&1; do sleep 0.2; done';
  await runInGuest(bench, [], ping);
}

/** Not synchronously: the doors are in this process. */
async function runInGuest({ dir, env }: WaysBench, as: string[], command: string): Promise<void> {
  const argv = ['-F', join(dir, 'tcp'), ...as, 'nix-linuxkit', command];
  const ssh = spawn('ssh', argv, { env, stdio: 'inherit' });
  const [code] = (await once(ssh, 'exit')) as [number];
  if (code !== 0) throw new Error(`ssh ended with ${code}`);
}

async function send({ dir, env }: WaysBench, way: Way): Promise<void> {
  const argv = ['-F', join(dir, way), 'nix-linuxkit', 'cat > /dev/null'];
  const ssh = spawn('ssh', argv, { env, stdio: ['pipe', 'inherit', 'inherit'] });
  const chunk = Buffer.alloc(1024 ** 2, 7);
  for (let sent = 0; sent < size; sent += chunk.length)
    if (!ssh.stdin.write(chunk)) await once(ssh.stdin, 'drain');
  ssh.stdin.end();
  const [code] = (await once(ssh, 'exit')) as [number];
  if (code !== 0) throw new Error(`ssh ended with ${code}`);
}

/** In a store of its own; each derivation is a connection of its own, as Nix's hook makes it. */
async function build({ dir, state, env }: WaysBench, way: Way, count: number): Promise<void> {
  const file = join(dir, `${way}.nix`);
  const salt = randomBytes(8).toString('hex');
  writeFileSync(
    file,
    `builtins.genList (n: derivation { name = "t\${toString n}-${salt}"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo > $out" ]; }) ${count}`,
  );
  mkdirSync(join(dir, 'conf'), { recursive: true });
  const argv = ['--no-out-link', '--max-jobs', '0', '--store', join(dir, 'root')];
  argv.push('--option', 'build-users-group', '', '--option', 'substitute', 'false');
  argv.push('--builders', `@${join(state, 'machines')}`, file);
  const nixEnv = {
    ...env,
    NIX_CONF_DIR: join(dir, 'conf'),
    NIX_STATE_DIR: join(dir, 'nix-state'),
    NIX_LOG_DIR: join(dir, 'nix-log'),
    NIX_SSHOPTS: `-F ${join(dir, way)}`,
  };
  const child = spawn('nix-build', argv, { env: nixEnv, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-2000)));
  const [code] = (await once(child, 'close')) as [number];
  if (code !== 0) throw new Error(`nix-build ended with ${code}: ${said}`);
}
