/** How often a ring is looked at: nothing tells that it was written, and what nobody reads in time is overwritten. Pure. */

/** A megabyte a second fills the ring in 65 ms. */
export const busyMs = 15;
/** So a guest that was quiet may begin to write a megabyte a second. */
const slowestMs = 50;
/** Who wants looks so far apart is in no hurry: a silent ring has them, and a guest that then writes more than a ring between two loses some. */
const restMs = 1_000;
/** Looks without a change, two seconds of them, after which it is silent. */
const silentLooks = 40;
/** While nothing comes, only one look of so many is at the whole ring: half a second apart. */
const wholeEvery = 10;
/** So many bytes in one look are much. */
const muchBytes = 4_096;

interface Looks {
  /** What somebody wants. */
  readonly pollMs: number;
  /** How many there were without a change, and bytes in the last one. */
  readonly quiet: number;
  readonly fresh: number;
  /** The writer's place is not known, and looked for. */
  readonly isSought: boolean;
}

/** Milliseconds to the next one. */
export function nextLookMs({ pollMs, quiet, fresh, isSought }: Looks): number {
  if (fresh > muchBytes || isSought) return busyMs;
  return isAtRest({ pollMs, quiet }) ? pollMs : Math.min(pollMs, slowestMs);
}

/** Whether a look at the place where reading is will do. */
export const isShort = ({ pollMs, quiet }: Pick<Looks, 'pollMs' | 'quiet'>): boolean =>
  quiet > 0 && quiet % wholeEvery !== 0 && !isAtRest({ pollMs, quiet });

const isAtRest = ({ pollMs, quiet }: Pick<Looks, 'pollMs' | 'quiet'>): boolean =>
  pollMs >= restMs && quiet >= silentLooks;
