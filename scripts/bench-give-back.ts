// What a guest that runs gives back: memory a minute after work that used 1 GB, disk after store paths were collected.
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface GiveBackBench {
  readonly state: string;
  readonly cli: (...argv: string[]) => string;
  readonly row: (...cells: readonly string[]) => void;
  /** All of the 5 GB that the goal is for are built and collected; else a part, so that a guest that is translated writes it in a minute. */
  readonly isLong: boolean;
}

const pathMiB = 128;

export async function benchGiveBack({ state, cli, row, isLong }: GiveBackBench): Promise<void> {
  const [paths, afterS] = isLong ? [40, 60] : [4, 5];
  const inGuest = (script: string) => cli('ssh', '--root', '--', script);
  const pid = readFileSync(join(state, 'nix-state/qemu.pid'), 'utf8').trim();
  // The guest has settled, and has been looked after once.
  await pause(60_000);
  const before = memoryOf(pid);
  inGuest(`dd if=/dev/zero of=/nix/bench bs=1M count=600 2>/dev/null
    cat /nix/bench >/dev/null
    dd if=/dev/zero of=/dev/null bs=400M count=1 2>/dev/null`);
  const used = memoryOf(pid);
  await pause(60_000);
  const after = memoryOf(pid);
  const from = (each: keyof Memory) => `${before[each]} MiB before, ${used[each]} after the work`;
  const ratio = (each: keyof Memory) => (after[each] / before[each]).toFixed(2);
  const what = 'resident after 1 GB of work and 60 s';
  row(`${what}: the VM process`, `${after.all} MiB`, from('all'), ratio('all'), '≤ 1.1');
  row(`${what}: its guest's memory`, `${after.guest} MiB`, from('guest'), ratio('guest'), '≤ 1.1');
  inGuest('rm /nix/bench');

  for (let n = 0; n < paths; n++)
    inGuest(`cd /nix && { echo ${n}; dd if=/dev/zero bs=1M count=${pathMiB} 2>/dev/null; } >bench &&
      nix-store --add bench >/dev/null && rm bench`);
  const full = diskMiB(state);
  cli('gc');
  await pause(afterS * 1_000);
  const live = Number(inGuest('du -sm /nix | cut -f 1').trim());
  const size = diskMiB(state);
  row(
    `disk file after ${(paths * pathMiB) / 1024} GB built and collected, ${afterS} s later`,
    `${size} MiB`,
    `${live + 64} MiB, live data and 64; ${full} MiB before`,
    (size / (live + 64)).toFixed(2),
    '≤ 1.2',
  );
}

interface Memory {
  /** All that the process has resident, in MiB: with tcg also the guest's code as it was translated, which only grows. */
  readonly all: number;
  readonly guest: number;
}

/** The guest's memory is the largest mapping that nobody runs code of (proc(5), smaps). */
function memoryOf(pid: string): Memory {
  let [all, guest, largest, size, isData] = [0, 0, 0, 0, false];
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
    const [, first, last, rights] = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/.exec(line) ?? [];
    if (first !== undefined && last !== undefined) {
      size = parseInt(last, 16) - parseInt(first, 16);
      isData = rights === 'rw-p';
    }
    const kib = /^Rss:\s+(\d+) kB/.exec(line)?.[1];
    if (kib === undefined) continue;
    all += Number(kib);
    if (isData && size > largest) [largest, guest] = [size, Number(kib)];
  }
  return { all: Math.round(all / 1024), guest: Math.round(guest / 1024) };
}

function diskMiB(state: string): number {
  execFileSync('sync', ['-f', join(state, 'nix-disk')]);
  return Math.round((statSync(join(state, 'nix-disk')).blocks * 512) / 1024 ** 2);
}

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
