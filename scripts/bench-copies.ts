// How a path is best carried: ciphers and compression, each beside what our ssh configuration leads to.
import { copyFileSync, mkdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { copyPath, moveToStore, runInGuest, type DoorBench } from './bench-door.ts';
import { inTurn } from './bench-work.ts';

// ssh's words on the command line count before those of a file (ssh_config(5)).
export async function benchCopies(bench: DoorBench): Promise<void> {
  mkdirSync(bench.dir);
  // It compresses as programs do.
  const file = join(bench.dir, 'piece');
  copyFileSync(process.execPath, file);
  truncateSync(file, 64 * 1024 ** 2);
  const path = moveToStore(bench, file);
  const copied = (words: string) => async () => {
    await copyPath(bench, path, bench.ports.past, words);
    return () => runInGuest(bench, `nix-store --delete ${path}`);
  };
  const times = await inTurn(
    {
      ours: copied(''),
      'aes128-gcm': copied('-o Ciphers=aes128-gcm@openssh.com'),
      'aes256-gcm': copied('-o Ciphers=aes256-gcm@openssh.com'),
      'aes128-ctr': copied('-o Ciphers=aes128-ctr'),
      chacha20: copied('-o Ciphers=chacha20-poly1305@openssh.com'),
      compressed: copied('-o Compression=yes'),
    },
    5,
  );
  for (const [name, seconds] of Object.entries(times))
    bench.ratio(
      `\`nix copy\` of 64 MiB of a program: ${name}`,
      seconds,
      times.ours,
      's',
      'ours',
      1,
    );
}
