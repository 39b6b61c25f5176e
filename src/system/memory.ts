/** Whether the system has killed processes because its memory ran out. */
import { readFileSync } from 'node:fs';

/**
 * How many processes were killed for want of memory since the host's boot, of the whole host or of a limited group (cgroup);
 * undefined where the system does not tell: macOS, and Linux before 4.13.
 */
export function oomKills(): number | undefined {
  try {
    return readOomKills(readFileSync('/proc/vmstat', 'utf8'));
  } catch {
    return undefined;
  }
}

/** The count in the text of /proc/vmstat. */
export function readOomKills(text: string): number | undefined {
  const count = /^oom_kill (\d+)$/m.exec(text)?.[1];
  return count === undefined ? undefined : Number(count);
}
