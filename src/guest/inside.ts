/** What a look into a ready guest shows: by the agent, which needs no login; made only when somebody asks. */
import type { Clock } from '../system/clock.ts';
import { within } from '../system/deadline.ts';
import { Exit, type Failure } from '../system/failure.ts';
import type { GuestAgent } from './agent.ts';

/** Facts that only the guest knows. */
export interface Inside {
  /** Builds that have processes now: Nix gives each running build a user of its own. */
  readonly builds: number;
  /** The file system of /nix. */
  readonly diskBytes: number;
  readonly diskFreeBytes: number;
  /** The guest's clock minus ours. */
  readonly clockOffsetMs: number;
}

/** The owners of all processes, then the file system of /nix in KiB. */
const script = 'stat -c %U /proc/[0-9]* 2>/dev/null; df -Pk /nix';
const timeoutMs = 3_000;

/** Undefined when the guest gives no answer that can be read. */
export async function lookInside(
  agent: Pick<GuestAgent, 'exec' | 'time'>,
  clock: Clock,
  signal: AbortSignal,
): Promise<Inside | undefined> {
  const look = async (inTime: AbortSignal): Promise<Inside | undefined> => {
    const { stdout } = await agent.exec('/bin/sh', ['-c', script], { signal: inTime, timeoutMs });
    const asked = clock.now();
    const guestMs = await agent.time(inTime);
    const clockOffsetMs = Math.round(guestMs - (asked + clock.now()) / 2);
    const seen = readInside(stdout);
    return seen && { ...seen, clockOffsetMs };
  };
  try {
    return await within(look, { clock, timeoutMs, signal, late: () => silent });
  } catch {
    // A guest that is busy, or about to end: nothing is known of it, which is an answer too.
    return undefined;
  }
}

const silent: Failure = { kind: 'guest-silent', message: '', hint: '', exit: Exit.temporary };

/** What the script said. Pure. */
export function readInside(text: string): Omit<Inside, 'clockOffsetMs'> | undefined {
  const lines = text.trim().split('\n');
  const [, total, free] =
    /^.*\s(\d+)\s+\d+\s+(\d+)\s+\d+%\s+\/\S*$/.exec(lines.at(-1) ?? '')?.map(Number) ?? [];
  if (total === undefined || free === undefined) return undefined;
  const users = new Set(lines.filter((line) => /^nixbld\d+$/.test(line)));
  return { builds: users.size, diskBytes: total * 1024, diskFreeBytes: free * 1024 };
}
