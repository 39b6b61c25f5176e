/** What comes back from the guest during a probe: a line with its time, then a nix daemon's half of a short conversation. */
import type { Clock } from '../../system/time/clock.ts';
import { plainText } from '../../system/plain-text.ts';
import { nixAnswer, type NixAnswer } from './nix-question.ts';

/** The clocks of host and guest may differ by this: files from the future break builds. */
export const maxClockOffsetMs = 2_000;

/** A whole answer has a hundred bytes; an error may have some lines. */
const mostBytes = 4096;

/** An answer as it arrives. */
export class ProbeAnswer {
  readonly #clock: Clock;
  #bytes: Buffer = Buffer.alloc(0);
  #guestMs: number | undefined;
  #readAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes what came; true when nothing more is needed. */
  take(chunk: Buffer): boolean {
    this.#bytes = Buffer.concat([this.#bytes, chunk]).subarray(0, mostBytes);
    const end = this.#lineEnd;
    if (end < 0) return this.#bytes.length > 64;
    if (this.#readAt === 0) this.#readDate(this.#bytes.toString('latin1', 0, end));
    return this.isGarbled || this.nix.kind !== 'incomplete' || this.#bytes.length === mostBytes;
  }

  /** How far the guest's clock is ahead, if it told its time. Late by the way back, which is some milliseconds. */
  clockOffsetMs(): number | undefined {
    return this.#guestMs === undefined ? undefined : this.#guestMs - this.#readAt;
  }

  /** Something came, and it does not begin with a time. */
  get isGarbled(): boolean {
    const looked = this.#readAt !== 0 || this.#bytes.length > 64;
    return looked && this.#guestMs === undefined;
  }

  /** What a nix daemon has answered. */
  get nix(): NixAnswer {
    const end = this.#lineEnd;
    return end < 0 ? { kind: 'incomplete' } : nixAnswer(this.#bytes.subarray(end + 1));
  }

  /** The beginning of what came, for messages. */
  describe(): string {
    const from = this.#guestMs === undefined ? 0 : this.#lineEnd + 1;
    return `it answered ${plainText(JSON.stringify(this.#bytes.toString('latin1', from, from + 60)))}`;
  }

  get #lineEnd(): number {
    return this.#bytes.indexOf(0x0a);
  }

  #readDate(line: string): void {
    this.#readAt = this.#clock.now();
    // A date without %N leaves the letter or nothing: then it is half a second on average past the whole one.
    const date = /^(\d{1,12})(?:\.(\d{1,9}))?[.%N]*\r?$/.exec(line);
    if (date === null) return;
    const fraction = date[2] === undefined ? 0.5 : Number(`0.${date[2]}`);
    this.#guestMs = (Number(date[1]) + fraction) * 1000;
  }
}
