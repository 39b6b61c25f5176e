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

/** The answer of sysctl(8) of macOS for `hw.perflevel0.physicalcpu`: a number; nothing where it does not know the name. */
export function coresIn(answer: string): number | undefined {
  const count = /^\d{1,4}$/.test(answer.trim()) ? Number(answer) : 0;
  return count > 0 ? count : undefined;
}

/** This process's own Mac: it has as many for as long as we live. */
export const ownPerformanceCores = (): number | undefined =>
  (known ??= { count: performanceCores() }).count;

function askSysctl(): string {
  const { error, stdout } = spawnSync('/usr/sbin/sysctl', ['-n', 'hw.perflevel0.physicalcpu'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'utf8',
    timeout: 2_000,
  });
  return error === undefined ? stdout : '';
}
