/** day.jsonl: what happens in a day, for its picture (../status/day.ts): where the guest is, when somebody is in it, and what it keeps of the host's memory. */
import type { Layout } from '../../config/layout.ts';
import type { Clock } from '../../system/time/clock.ts';
import type { Phase } from '../lifecycle/state.ts';
import type { DayEvent } from '../status/day.ts';
import { RecordFile } from '../status/record-file.ts';

interface DayNotesOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  /** Whether the state directory is still the one that we have locked. */
  readonly isOurs: () => boolean;
  /** What the VM process has resident; undefined where there is none, or this system does not tell without a process of its own. */
  readonly residentBytes: () => number | undefined;
}

/** A day in which the guest comes and goes all the time has some 4,000 lines; beyond that the older half goes. */
const mostBytes = 512 * 1024;
/** Less than this, and less than a fifth, is no news. */
const leastBytes = 64 * 1024 ** 2;
/** A look at memory reads a file; once a minute is fine enough for a day. */
const looksBetween = 12;

export class DayNotes {
  readonly #options: DayNotesOptions;
  readonly #file: RecordFile;
  #isUsed = false;
  #told = 0;
  #looks = 0;

  /** A daemon begins. */
  constructor(options: DayNotesOptions) {
    this.#options = options;
    this.#file = new RecordFile(options.layout.day, { mostBytes, begins: '{"time"' });
    this.note({ event: 'daemon-started' });
  }

  phase(phase: Phase): void {
    this.note({ event: 'phase', phase });
  }

  /** So many have logged in. */
  users(loggedIn: number): void {
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

  #tell(event: 'guest-used' | 'guest-unused' | 'guest-memory'): void {
    const residentBytes = this.#options.residentBytes();
    this.#told = residentBytes ?? 0;
    this.note({ event, ...(residentBytes === undefined ? {} : { residentBytes }) });
  }

  /** Of another daemon's day nothing is ours to write. */
  note(event: DayEvent): void {
    const { clock, isOurs } = this.#options;
    if (isOurs()) this.#file.append({ time: new Date(clock.now()).toISOString(), ...event });
  }
}
