/** When the names in a directory have to be looked at: a directory's own times change with each name that it gets or loses. */
import { stampOf } from '../../system/files/stamp.ts';

/** A file system may not tell what another machine has done, or tell no times at all. */
const atLeastEvery = 12;
/** Times may be of whole seconds, FAT's of two: what came within the same is seen by the look after the next change, 5 s later. */
const sureAfter = 2;

/** Whether something is to be looked for, at the price of one stat. */
export class NamesWatch {
  readonly #directory: string;
  #stamp = '';
  #looks = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Whether they may be others than at the last look that found this true. To be asked once for each look, every 5 s. */
  isDue(): boolean {
    const stamp = stampOf(this.#directory);
    if (stamp !== this.#stamp) this.#looks = 0;
    this.#stamp = stamp;
    this.#looks++;
    return this.#looks <= sureAfter || this.#looks % atLeastEvery === 0;
  }
}
