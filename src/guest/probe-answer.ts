/** What comes back from the guest during a probe: a line with its time, then a nix daemon's first words. */
import type { Clock } from '../system/clock.ts';

/** The clocks of host and guest may differ by this: files from the future break builds. */
export const maxClockOffsetMs = 2_000;

/**
 * First words of Nix's worker protocol, little-endian in 8 bytes each (nix src/libstore/worker-protocol.hh): the client's
 * magic number; the daemon answers with its own, then its version, before it reads on.
 */
export const hello = word(0x6e697863);
const reply = word(0x6478696f);

/** An answer as it arrives. */
export class Answer {
  readonly #clock: Clock;
  #bytes: Buffer = Buffer.alloc(0);
  #guestMs: number | undefined;
  #readAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes what came; true when nothing more is needed. */
  take(chunk: Buffer): boolean {
    this.#bytes = Buffer.concat([this.#bytes, chunk]).subarray(0, 1024);
    const end = this.#lineEnd;
    if (end < 0) return this.#bytes.length > 64;
    if (this.#readAt === 0) this.#readDate(this.#bytes.toString('latin1', 0, end));
    return this.isGarbled || this.#bytes.length >= end + 1 + reply.length;
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

  /** A nix daemon has answered. */
  get fromNix(): boolean {
    const from = this.#lineEnd + 1;
    return from > 0 && this.#bytes.subarray(from, from + reply.length).equals(reply);
  }

  /** The beginning of what came, for messages. */
  describe(): string {
    const from = this.#guestMs === undefined ? 0 : this.#lineEnd + 1;
    return `it answered ${JSON.stringify(this.#bytes.toString('latin1', from, from + 60))}`;
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

function word(magic: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(magic);
  return bytes;
}
