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

/** A guest is not asked again for so long while nobody was in it: a look costs it processes. */
const standsMs = 30_000;

/** Looks into one guest. */
export class Insight {
  readonly #agent: Agent;
  readonly #clock: Clock;
  #last: { readonly inside: Inside; readonly traffic: number; readonly at: number } | undefined;

  constructor(agent: Agent, clock: Clock) {
    this.#agent = agent;
    this.#clock = clock;
  }

  /**
   * Undefined when the guest gives no answer that can be read. `traffic` is a count that grows with what goes through the front
   * door, undefined while somebody is there: the last look stands while it is the same.
   */
  async look(traffic: number | undefined, signal: AbortSignal): Promise<Inside | undefined> {
    const last = this.#last;
    const age = this.#clock.monotonic() - (last?.at ?? 0);
    if (last !== undefined && last.traffic === traffic && age < standsMs) return last.inside;
    const inside = await lookInside(this.#agent, this.#clock, signal);
    const at = this.#clock.monotonic();
    this.#last = inside && traffic !== undefined ? { inside, traffic, at } : undefined;
    return inside;
  }

  /** The guest's clock may be another: after a pause, or a sleep. */
  forget(): void {
    this.#last = undefined;
  }
}

type Agent = Pick<GuestAgent, 'exec' | 'time'>;

/** The owners of all processes, then the file system of /nix in KiB. */
const script = 'stat -c %U /proc/[0-9]* 2>/dev/null; df -Pk /nix';
const timeoutMs = 3_000;

/** Undefined when the guest gives no answer that can be read. */
export async function lookInside(
  agent: Agent,
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
