/** What the log keeps of a day for its picture: when somebody was in the guest, and what that kept of the host's memory. */
import type { Log } from '../../system/log.ts';

interface DayNotesOptions {
  readonly log: Log;
  /** What the VM process has resident; undefined where there is none, or this system does not tell without a process of its own. */
  readonly residentBytes: () => number | undefined;
}

/** Less than this, and less than a fifth, is no news. */
const leastBytes = 64 * 1024 ** 2;
/** A look at memory reads a file; once a minute is fine enough for a day. */
const looksBetween = 12;

export class DayNotes {
  readonly #options: DayNotesOptions;
  #isUsed = false;
  #told = 0;
  #looks = 0;

  constructor(options: DayNotesOptions) {
    this.#options = options;
  }

  /** So many have logged in. */
  note(loggedIn: number): void {
    if (loggedIn > 0 && !this.#isUsed) this.#tell('guest-used');
    if (loggedIn > 0) this.#isUsed = true;
  }

  /** A look, every 5 s: builds one after the other are one use. */
  tick(loggedIn: number): void {
    if (this.#isUsed && loggedIn === 0) {
      this.#isUsed = false;
      this.#tell('guest-unused');
    }
    if (this.#looks++ % looksBetween !== 0) return;
    const bytes = this.#options.residentBytes();
    if (bytes !== undefined && Math.abs(bytes - this.#told) > Math.max(leastBytes, bytes / 5))
      this.#tell('guest-memory');
  }

  #tell(event: string): void {
    const residentBytes = this.#options.residentBytes();
    this.#told = residentBytes ?? 0;
    this.#options.log('info', event, residentBytes === undefined ? {} : { residentBytes });
  }
}
