/** Who keeps the door shut for a while: each for himself, and no longer than he is there. */

/** Counts those who keep it shut, and opens it when the last of them is gone. */
export class DoorHold {
  readonly #set: (isHeld: boolean) => void;
  /** By what aborts when they are gone; undefined: all who did not say how long they are there. */
  readonly #holders = new Set<AbortSignal | undefined>();

  /** `set`: lets no new connection in, or lets them in again. */
  constructor(set: (isHeld: boolean) => void) {
    this.#set = set;
  }

  /** Nobody is let in from now on, until `gone` aborts or it is let go; without `gone` until it is let go. */
  take(gone?: AbortSignal): void {
    // His connection broke while he asked.
    if (gone?.aborted === true) return;
    this.#holders.add(gone);
    gone?.addEventListener('abort', () => this.letGo(gone), { once: true });
    this.#set(true);
  }

  /** The one who took it with this signal, or without one all who did so, are done with it. */
  letGo(gone?: AbortSignal): void {
    if (this.#holders.delete(gone) && this.#holders.size === 0) this.#set(false);
  }
}
