/** Who keeps the door shut for a while: each for himself, and no longer than he is there. */

/** Counts those who keep it shut, and opens it when the last of them is gone. */
export class DoorHold {
  readonly #set: (isHeld: boolean) => void;
  readonly #holders = new Set<AbortSignal>();

  /** `set`: lets no new connection in, or lets them in again. */
  constructor(set: (isHeld: boolean) => void) {
    this.#set = set;
  }

  /** Nobody is let in from now on, until `gone` aborts or it is let go; without `gone` until it is let go. */
  take(gone: AbortSignal = new AbortController().signal): void {
    // His connection broke while he asked.
    if (gone.aborted) return;
    this.#holders.add(gone);
    gone.addEventListener('abort', () => this.#leave(gone), { once: true });
    this.#set(true);
  }

  /** Whoever held it: it is let go. */
  letGo(): void {
    this.forget();
    this.#set(false);
  }

  /** It was opened otherwise: nobody holds it any more. Who held it for ever would have the next one's hold outlive him. */
  forget(): void {
    this.#holders.clear();
  }

  #leave(gone: AbortSignal): void {
    if (this.#holders.delete(gone) && this.#holders.size === 0) this.#set(false);
  }
}
