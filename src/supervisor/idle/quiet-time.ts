/** When a guest has been left alone for so long that it may be tidied. Times are monotonic. */

/** Nix comes and goes between two builds: after so long nobody is in the midst of some. */
const quietMs = 30_000;
/** In a guest that nobody uses, what grows old does so by the day. */
const dayMs = 86_400_000;

export class QuietTime {
  /** What had come through the door when nobody was there any more, and since when. */
  #quiet: { readonly traffic: number; readonly since: number } | undefined;
  /** Undefined: not since somebody was there. */
  #tidiedAt: number | undefined;

  /** To be asked again and again. `traffic`: what has come through the door so far; undefined without a guest. */
  isDue(traffic: number | undefined, now: number): boolean {
    if (traffic === undefined) {
      this.end();
      return false;
    }
    if (this.#quiet?.traffic !== traffic) {
      this.#quiet = { traffic, since: now };
      this.#tidiedAt = undefined;
    }
    const isTidy = this.#tidiedAt !== undefined && now - this.#tidiedAt < dayMs;
    return !isTidy && now - this.#quiet.since >= quietMs;
  }

  noteTidied(now: number): void {
    this.#tidiedAt = now;
  }

  /** Somebody is there, or nobody knows. */
  end(): void {
    this.#quiet = undefined;
  }
}
