// How a path is best carried: ciphers and compression, each beside what our ssh configuration leads to.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { copyPath, nix, runInGuest, type DoorBench } from './bench-door.ts';

const rounds = 5;
const MiB = 1024 ** 2;

/** ssh's words on the command line count before those of a file (ssh_config(5)). */
const ways = {
  ours: '',
  'aes128-gcm': '-o Ciphers=aes128-gcm@openssh.com',
  'aes256-gcm': '-o Ciphers=aes256-gcm@openssh.com',
  'aes128-ctr': '-o Ciphers=aes128-ctr',
  chacha20: '-o Ciphers=chacha20-poly1305@openssh.com',
  compressed: '-o Compression=yes',
};
type Way = keyof typeof ways;

export async function benchCopies(bench: DoorBench): Promise<void> {
  mkdirSync(bench.dir);
  const path = makePath(bench);
  const names = Object.keys(ways) as Way[];
  const times = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<
    Way,
    number[]
  >;
  const measure = async (name: Way) => {
    const begun = performance.now();
    await copyPath(bench, path, bench.ports.past, ways[name]);
    times[name].push((performance.now() - begun) / 1000);
    runInGuest(bench, `nix-store --delete ${path}`);
  };
  for (let n = 0; n < rounds; n++)
    for (const name of n % 2 === 0 ? names : [...names].reverse()) await measure(name);
  for (const name of names)
    bench.ratio(
      `\`nix copy\` of a program of 64 MiB: ${name}`,
      times[name],
      times.ours,
      's',
      'ours',
      1,
    );
}

/** A piece of a real program, which compresses as such things do. In a store of its own: nothing of the host's Nix is touched. */
function makePath({ dir, env }: DoorBench): string {
  const file = join(dir, 'piece');
  copyFileSync(process.execPath, file);
  truncateSync(file, 64 * MiB);
  const argv = [...nix, 'store', 'add-file', '--store', `local?root=${dir}`, file];
  const path = execFileSync('nix', argv, {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  rmSync(file);
  return path.trim();
}
