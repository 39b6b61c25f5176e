/** Processors of two kinds: Apple silicon has fast and frugal ones, and a guest's are all the same to it. */
import { spawnSync } from 'node:child_process';

let known: { readonly count: number | undefined } | undefined;

/** How many fast ones this Mac has; undefined where there is one kind, or nobody tells. Asked once: it takes some milliseconds. */
export function performanceCores(
  platform: NodeJS.Platform = process.platform,
  ask: () => string = askSysctl,
): number | undefined {
  if (platform !== 'darwin') return undefined;
  return coresIn(ask());
}

/**
 * The answer of sysctl(8) of macOS to {@link names}: `NAME: NUMBER`, a line each, without those that it does not know. Macs with one kind
 * have a first level, too: Intel's since macOS 12, and virtual ones.
 */
export function coresIn(answer: string): number | undefined {
  const lines = answer.split('\n');
  const [kinds = 0, count = 0] = names.map((name) => {
    const value = lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    return /^\d{1,4}$/.test(value ?? '') ? Number(value) : 0;
  });
  return kinds > 1 && count > 0 ? count : undefined;
}

/** The number of kinds, and how many there are of the fastest. */
const names = ['hw.nperflevels', 'hw.perflevel0.physicalcpu'] as const;

/** This process's own Mac: it has as many for as long as we live. */
export const ownPerformanceCores = (): number | undefined =>
  (known ??= { count: performanceCores() }).count;

function askSysctl(): string {
  const { error, stdout } = spawnSync('/usr/sbin/sysctl', names, {
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'utf8',
    timeout: 2_000,
  });
  return error === undefined ? stdout : '';
}
