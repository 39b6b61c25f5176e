/** What must hold at every moment of a round, judged by what was seen of its processes. Pure. */
import type { Violation } from './tally.ts';
import { Violated } from './violated.ts';

/** What was there at one moment. */
export interface Sighting {
  /** The pids of all that have the disk open as a guest's. */
  readonly onDisk: readonly string[];
  /** The VM process of the daemon's record, and the network process that was there together with it. */
  readonly pair?: { readonly vm: number; readonly network: number };
}

export class Judge {
  /** By network process, the VM process that it was first seen with. */
  readonly #vmOf = new Map<number, number>();
  #sawVm = false;
  #verdict: Violation | undefined;

  /** Whoever never saw one is blind. */
  get sawVm(): boolean {
    return this.#sawVm;
  }

  /** The first thing that did not hold. */
  get verdict(): Violation | undefined {
    return this.#verdict;
  }

  throwIfSpoken(): void {
    if (this.#verdict !== undefined) throw new Violated(this.#verdict.check, this.#verdict.what);
  }

  see({ onDisk, pair }: Sighting): void {
    this.#sawVm ||= onDisk.length > 0;
    if (onDisk.length > 1)
      this.#verdict ??= {
        check: 'one-vm',
        what: `${onDisk.length} VMs had the disk open at once`,
      };
    if (pair === undefined) return;
    const first = this.#vmOf.get(pair.network) ?? pair.vm;
    this.#vmOf.set(pair.network, first);
    if (first !== pair.vm)
      this.#verdict ??= {
        check: 'own-network',
        what: `network process ${pair.network} outlived VM process ${first}, and serves ${pair.vm}`,
      };
  }
}
