/** What a look into a ready guest shows: by the agent, which needs no login; made only when somebody asks. */
import type { Clock } from '../../system/time/clock.ts';
import { within } from '../../system/time/deadline.ts';
import { Exit, type Failure } from '../../system/failure.ts';
import type { GuestAgent } from './agent.ts';
import { keptBuilds } from '../debug/kept-builds.ts';

/** Facts that only the guest knows. */
export interface Inside {
  /** Builds that have processes now: Nix gives each running build a user of its own. */
  readonly builds: number;
  /** The file system of /nix. */
  readonly diskBytes: number;
  readonly diskFreeBytes: number;
  /** What goes back to the host of what this guest has freed, as its kernel's tables say. A daemon of the release before does not tell. */
  readonly givesBack?: { readonly memory: boolean; readonly disk: boolean };
  /** What `debug` has kept of builds that failed. A daemon of the release before does not tell. */
  readonly kept?: { readonly directories: number; readonly bytes: number };
  /** The guest's clock minus ours. */
  readonly clockOffsetMs: number;
}

/** The file system of /nix. */
export type StoreRoom = Pick<Inside, 'diskBytes' | 'diskFreeBytes'>;

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

/**
 * The owners of all processes; what the balloon's driver can do, and the disk of /nix, over which nothing is mounted (Linux,
 * Documentation/ABI/stable/sysfs-block, queue/discard_max_bytes); the file system of /nix in KiB.
 */
const script = `
stat -c %U /proc/[0-9]* 2>/dev/null
for path in /sys/bus/virtio/drivers/virtio_balloon/virtio*/features; do
  [ -e "$path" ] && read -r bits <"$path" && echo "balloon $bits"
done
while read -r device path _; do [ "$path" != /nix ] || disk=\${device##*/}; done </proc/mounts
path=/sys/class/block/$disk/queue/discard_max_bytes
[ -e "$path" ] && read -r most <"$path" && echo "discard $most"
for path in ${keptBuilds}/*/kib; do [ -e "$path" ] && read -r kib <"$path" && echo "kept $kib"; done
df -Pk /nix`;
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
  const room = readRoom(text);
  if (room === undefined) return undefined;
  const users = new Set(lines.filter((line) => /^nixbld\d+$/.test(line)));
  const memory = lines.some((line) => reports.test(line));
  const disk = lines.some((line) => /^discard 0*[1-9]\d*$/.test(line));
  const kept = lines.flatMap((line) => /^kept (\d{1,12})$/.exec(line)?.[1] ?? []);
  const bytes = kept.reduce((sum, kib) => sum + Number(kib) * 1024, 0);
  return {
    builds: users.size,
    ...room,
    givesBack: { memory, disk },
    kept: { directories: kept.length, bytes },
  };
}

/** VIRTIO_BALLOON_F_REPORTING is the bit 5 (linux/virtio_balloon.h); the driver lists them from the bit 0 on. */
const reports = /^balloon [01]{5}1[01]*$/;

/** The last line of what df said; of a guest that has more than a million TiB nothing is believed. Pure. */
export function readRoom(text: string): StoreRoom | undefined {
  const [, total, free] =
    /^.*\s(\d{1,12})\s+\d+\s+(\d{1,12})\s+\d+%\s+\/\S*$/
      .exec(text.trim().split('\n').at(-1) ?? '')
      ?.map(Number) ?? [];
  if (total === undefined || free === undefined) return undefined;
  return { diskBytes: total * 1024, diskFreeBytes: free * 1024 };
}
