/** Tells a VM that the host killed for want of memory from one that somebody killed: both get the same signal. */
import { oomKills } from '../../system/host/host-memory.ts';

/** The count is in a file that costs the kernel a sum over all processors: more than all the rest of an idle daemon's look. */
const everyTicks = 6;

/** Of one VM. It can tell nothing where the host does not count such kills. */
export class MemoryWatch {
  readonly #count: () => number | undefined;
  /** What was counted at the look before the last one, and at the last: a death takes longer than the count of it. */
  #earlier: number | undefined;
  #last: number | undefined;
  #ticks = 0;

  constructor(count: () => number | undefined = oomKills) {
    this.#count = count;
    this.#earlier = this.#last = count();
  }

  /** To be called every 5 s; looks every half a minute. */
  tick(): void {
    if (++this.#ticks % everyTicks !== 0) return;
    this.#earlier = this.#last;
    this.#last = this.#count();
  }

  /** Whether the host has run out of memory within the last looks; undefined where it does not tell. */
  ranOut(): boolean | undefined {
    const now = this.#count();
    return now === undefined || this.#earlier === undefined ? undefined : now > this.#earlier;
  }
}
