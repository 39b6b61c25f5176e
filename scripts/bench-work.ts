// What Nix's own work costs: many derivations, each of which is a login, and a path of many small files; through the door, past it, and beside what needs neither.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyPath, nix, runInGuest, sshArgv, type DoorBench } from './bench-door.ts';

export interface WorkBench extends DoorBench {
  /** So many times 25 derivations, each way. */
  readonly pieces: number;
}

const derivations = 25;
const smallFiles = 20_000;

export async function benchWork(bench: WorkBench): Promise<void> {
  mkdirSync(bench.dir);
  await measureBuilds(bench);
  await measureFiles(bench);
}

async function measureBuilds(bench: WorkBench): Promise<void> {
  const { pieces, ports, ratio } = bench;
  const ways = {
    through: () => buildFrom(bench, ports.through, derivations),
    past: () => buildFrom(bench, ports.past, derivations),
    inside: () => buildInside(bench, derivations),
    bare: () => runInGuest(bench, 'true'),
  };
  // The first of each makes the stores, and finds nothing in memory.
  await buildFrom(bench, ports.past, 1);
  buildInside(bench, 1);
  const times = await inTurn(ways, pieces);
  const each = (seconds: readonly number[]) => seconds.map((piece) => piece / derivations);
  const what = `a trivial derivation, of ${pieces * derivations}`;
  ratio(`${what}, through the door`, each(times.through), each(times.past), 's', 'past it', 1.05);
  const inside = each(times.inside);
  const more = each(times.past).map((seconds, n) => seconds - (inside[n] ?? NaN));
  ratio(`${what}: more than inside the guest`, more, times.bare, 's', '`ssh ... true`', 1.5);
}

async function measureFiles(bench: WorkBench): Promise<void> {
  const { dir, env, ports, ratio } = bench;
  const files = join(dir, 'files');
  mkdirSync(files);
  for (let n = 0; n < smallFiles; n++)
    writeFileSync(join(files, String(n)), `${n} ${'x'.repeat(n % 4096)}`);
  const argv = [...nix, 'store', 'add-path', '--store', `local?root=${dir}`, files];
  const path = execFileSync('nix', argv, { env, encoding: 'utf8' }).trim();
  const copied = async (port: number) => {
    await copyPath(bench, path, port);
    return () => runInGuest(bench, `nix-store --delete ${path}`);
  };
  const times = await inTurn(
    {
      through: () => copied(ports.through),
      past: () => copied(ports.past),
      tar: async () => {
        await packed(bench, files);
        return () => runInGuest(bench, 'rm -r /nix/bench', asRoot(bench));
      },
    },
    3,
  );
  const what = '`nix copy` of 20,000 small files';
  ratio(`${what}, through the door`, times.through, times.past, 's', 'past it', 1.05);
  ratio(`${what}, past the door`, times.past, times.tar, 's', '`tar` by ssh', 1.7);
  rmSync(files, { recursive: true });
}

/** What is done after a measurement, and takes no time of it. */
type Undo = () => void;

/** Seconds of each way, in turn; none is always first. */
export async function inTurn<W extends string>(
  ways: Readonly<Record<W, () => void | Promise<void | Undo>>>,
  rounds: number,
): Promise<Record<W, number[]>> {
  const names = Object.keys(ways) as W[];
  const times = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<
    W,
    number[]
  >;
  for (let n = 0; n < rounds; n++)
    for (const name of n % 2 === 0 ? names : [...names].reverse()) {
      const begun = performance.now();
      const undo = await ways[name]();
      times[name].push((performance.now() - begun) / 1000);
      undo?.();
    }
  return times;
}

/**
 * Derivations that nobody has built yet, each of which waits for the one before it: side by side, Nix would look only every 5 s
 * whether a slot is free again. Nor is a binary cache asked for them, which may be near, far or unreachable.
 */
const expression = (count: number): string => {
  const salt = randomBytes(8).toString('hex');
  return `builtins.foldl' (before: n: derivation { inherit before; allowSubstitutes = false; name = "t\${toString n}-${salt}"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo > $out" ]; }) "" (builtins.genList (n: n) ${count})`;
};

/** In a store of its own; each derivation is a connection of its own, as Nix's hook makes it. */
async function buildFrom(
  { dir, state, env }: DoorBench,
  port: number,
  count: number,
): Promise<void> {
  mkdirSync(join(dir, 'conf'), { recursive: true });
  const argv = ['--no-out-link', '--max-jobs', '0', '--store', join(dir, 'root')];
  argv.push('--option', 'build-users-group', '', '--option', 'substitute', 'false');
  argv.push('--builders', `@${join(state, 'machines')}`, '--expr', expression(count));
  const nixEnv = {
    ...env,
    NIX_CONF_DIR: join(dir, 'conf'),
    NIX_STATE_DIR: join(dir, 'nix-state'),
    NIX_LOG_DIR: join(dir, 'nix-log'),
    NIX_SSHOPTS: `-F ${join(state, 'ssh_config')} -p ${port}`,
  };
  const child = spawn('nix-build', argv, { env: nixEnv, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-2000)));
  const [code] = (await once(child, 'close')) as [number];
  if (code !== 0) throw new Error(`nix-build ended with ${code}: ${said}`);
}

/** The same in one session of the guest's own. */
function buildInside(bench: DoorBench, count: number): void {
  const quoted = expression(count).replaceAll("'", `'\\''`);
  runInGuest(bench, `nix-build --no-out-link --option substitute false --expr '${quoted}'`);
}

const asRoot = ({ state }: DoorBench): string[] => [
  '-o',
  'User=root',
  '-o',
  `IdentityFile=${join(state, 'keys/root_ed25519')}`,
];

/** The same files onto the same disk, by nothing but ssh. */
async function packed(bench: DoorBench, files: string): Promise<void> {
  const { env, state, ports } = bench;
  const tar = spawn('tar', ['-C', files, '-cf', '-', '.'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const argv = [...asRoot(bench), ...sshArgv(state, ports.past)];
  const ssh = spawn('ssh', [...argv, 'mkdir /nix/bench && busybox tar -C /nix/bench -xf -'], {
    env,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  tar.stdout.pipe(ssh.stdin);
  const [code] = (await once(ssh, 'exit')) as [number];
  if (code !== 0) throw new Error(`ssh ended with ${code}`);
}
