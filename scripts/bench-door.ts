// What the front door costs: bytes into the guest through it, and past it to the same port of QEMU's network.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ratio } from './bench-ratio.ts';

export interface DoorBench {
  /** The state directory of a builder whose guest is ready. */
  readonly state: string;
  /** A directory of its own. */
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  /** Where the door listens, and where QEMU does. */
  readonly ports: { readonly through: number; readonly past: number };
  readonly ratio: Ratio;
}

const MiB = 1024 ** 2;
const size = 256 * MiB;

export async function benchDoor(bench: DoorBench): Promise<void> {
  mkdirSync(bench.dir);
  holdSshd(bench);
  const sent = await pairs(bench, 6, (port) => send(bench, port));
  bench.ratio('256 MiB by ssh, through the front door', ...sent, 's', 'the same past it', 1.1);
  const path = makePath(bench);
  const forget = () => runInGuest(bench, `nix-store --delete ${path}`);
  const copied = await pairs(bench, 6, (port) => copyPath(bench, path, port), forget);
  bench.ratio('`nix copy` of 256 MiB, through it', ...copied, 's', 'the same past it', 1.05);
  const [[, alone], [, past]] = [sent, copied];
  bench.ratio('`nix copy` of 256 MiB, past it', past, alone, 's', 'ssh alone, past it', 1.7);
}

/** Seconds of each way, in turn; neither is always first. */
async function pairs(
  { ports }: DoorBench,
  count: number,
  work: (port: number) => Promise<void>,
  undo: () => void = () => undefined,
): Promise<[number[], number[]]> {
  const through: number[] = [];
  const past: number[] = [];
  const measure = async (times: number[], port: number) => {
    const begun = performance.now();
    await work(port);
    times.push((performance.now() - begun) / 1000);
    undo();
  };
  for (let n = 0; n < count; n++) {
    if (n % 2 === 0) await measure(through, ports.through);
    await measure(past, ports.past);
    if (n % 2 === 1) await measure(through, ports.through);
  }
  return [through, past];
}

/**
 * The guest's sshd stays on one of its two processors. Left to the guest's scheduler, single runs take either 5.4 or 6.9 s, by
 * where it happens to put it, with and without the door.
 */
function holdSshd(bench: DoorBench): void {
  const root = ['-o', 'User=root', '-o', `IdentityFile=${join(bench.state, 'keys/root_ed25519')}`];
  runInGuest(bench, 'busybox taskset -p 2 $(busybox pidof sshd)', root);
}

export function runInGuest(
  { state, env, ports }: DoorBench,
  command: string,
  as: string[] = [],
): void {
  const argv = [...as, ...sshArgv(state, ports.through), command];
  execFileSync('ssh', argv, { env, stdio: 'ignore' });
}

export const sshArgv = (state: string, port: number): string[] => [
  '-F',
  join(state, 'ssh_config'),
  '-p',
  String(port),
  'nix-linuxkit',
];

async function send({ state, env }: DoorBench, port: number): Promise<void> {
  const argv = [...sshArgv(state, port), 'cat > /dev/null'];
  const ssh = spawn('ssh', argv, { env, stdio: ['pipe', 'inherit', 'inherit'] });
  const chunk = Buffer.alloc(MiB, 7);
  for (let sent = 0; sent < size; sent += MiB)
    if (!ssh.stdin.write(chunk)) await once(ssh.stdin, 'drain');
  ssh.stdin.end();
  await once(ssh, 'exit');
}

export const nix = ['--extra-experimental-features', 'nix-command'];

function makePath(bench: DoorBench): string {
  const file = join(bench.dir, 'blob');
  writeFileSync(file, randomBytes(size));
  return moveToStore(bench, file);
}

/** The path that a file becomes, in a store of its own: nothing of the host's Nix is touched. */
export function moveToStore({ dir, env }: DoorBench, file: string): string {
  const argv = [...nix, 'store', 'add-file', '--store', `local?root=${dir}`, file];
  const path = execFileSync('nix', argv, {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  rmSync(file);
  return path.trim();
}

/** Copies a path of the store in `dir`, by a login at that port. `words`: more of ssh's. */
export async function copyPath(
  { state, dir, env }: DoorBench,
  path: string,
  port: number,
  words = '',
): Promise<void> {
  const argv = [
    'copy',
    '--from',
    `local?root=${dir}`,
    '--to',
    'ssh-ng://builder@nix-linuxkit',
    '--no-check-sigs',
    path,
  ];
  const options = {
    ...env,
    NIX_SSHOPTS: `-F ${join(state, 'ssh_config')} -p ${port} ${words}`.trim(),
  };
  const copying = spawn('nix', [...nix, ...argv], { env: options, stdio: 'ignore' });
  const [code] = (await once(copying, 'exit')) as [number];
  if (code !== 0) throw new Error(`nix copy ended with ${code}`);
}
