/** Tells a VM that the host killed for want of memory from one that somebody killed: both get the same signal. */
import { oomKills } from '../../system/host/host-memory.ts';

export class MemoryWatch {
  readonly #count: () => number | undefined;
  /** What was counted at the look before the last one, and at the last: a death takes longer than the count of it. */
  #earlier: number | undefined;
  #last: number | undefined;

  constructor(count: () => number | undefined = oomKills) {
    this.#count = count;
    this.#earlier = this.#last = count();
  }

  /** A look, every 5 s. */
  tick(): void {
    this.#earlier = this.#last;
    this.#last = this.#count();
  }

  /** Whether the host has run out of memory within the last looks; undefined where it does not tell. */
  ranOut(): boolean | undefined {
    const now = this.#count();
    return now === undefined || this.#earlier === undefined ? undefined : now > this.#earlier;
  }
}
