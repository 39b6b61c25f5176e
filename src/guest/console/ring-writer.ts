/** Where the writer of a ring is, as readings of it show, and what it has written since the last. Pure. */
import {
  changedStretch,
  endOfText,
  guardBytes,
  isGuarded,
  lastChange,
  lineEndAt,
  put,
  ringBytes,
  slice,
  whereInstead,
} from './ring-bytes.ts';

interface RingNews {
  /** New bytes, in order; the buffer is the receiver's to keep. */
  readonly onBytes: (chunk: Buffer) => void;
  /** As ring.ts has it. */
  readonly onLost: (atLeastBytes: number | undefined) => void;
}

/** Where the writer is. `lost`: it has lapped us, and the next change will show where it is. */
type Place =
  | { readonly known: true; readonly cursor: number }
  | { readonly known: false; readonly delivered: boolean };

type Readings = Readonly<Record<'first' | 'second' | 'third', Buffer>>;

/** Of one ring. */
export class RingWriter {
  readonly #news: RingNews;
  #before: Buffer = Buffer.alloc(ringBytes);
  #place: Place = { known: true, cursor: 0 };
  /** Bytes behind the cursor that were delivered although they may be old: a line end. */
  #early = 0;
  /** Where reading was when the writer overtook it; of no meaning when it has done so again behind {@link endHere}. */
  #lapped = 0;
  /** So many bytes from there were seen to have changed; what is behind them, to the end of the round, may be old. */
  #lappedBytes = ringBytes;
  #lappedTwice = false;

  constructor(news: RingNews) {
    this.#news = news;
  }

  /** The ring as it was read last. */
  get before(): Buffer {
    return this.#before;
  }

  /** Where it writes next; undefined while nobody knows. */
  get cursor(): number | undefined {
    return this.#place.known ? this.#place.cursor : undefined;
  }

  /** It was lost, and bytes wait for its place. */
  get isSought(): boolean {
    return !this.#place.known && !this.#place.delivered;
  }

  /** What was read last is not there any more, and the end is empty: a new writer has truncated the file. It writes from the start. */
  beginAnewIn(now: Buffer): void {
    if (!this.#beganAnew(now)) return;
    this.#before = Buffer.alloc(ringBytes);
    this.#place = { known: true, cursor: 0 };
    this.#early = 0;
  }

  /** Takes what is new. */
  follow(readings: Readings): void {
    if (this.#place.known) this.#advance(this.#place.cursor, readings);
    else this.#findWriter(this.#place.delivered, readings);
  }

  #beganAnew(now: Buffer): boolean {
    const end = endOfText(now);
    if (end > ringBytes - guardBytes || (end > 0 && now[0] === 0)) return false;
    return !this.#place.known || !isGuarded(this.#before, now, this.#place.cursor);
  }

  #advance(cursor: number, readings: Readings): void {
    const { first, second, third } = readings;
    const count = lastChange(this.#before, first, cursor) + 1;
    // Nothing yet where this was the last reading's own restart.
    if (count === 0) return;
    const isOvertaken = count > ringBytes - guardBytes || !isGuarded(this.#before, third, cursor);
    const elsewhere = whereInstead(this.#before, first, cursor, isOvertaken);
    if (elsewhere !== undefined) {
      this.#news.onLost(undefined);
      this.#early = 0;
      return this.#advance(elsewhere, readings);
    }
    if (isOvertaken) {
      this.#lapped = cursor;
      this.#lappedTwice = false;
      return this.#lose(third, count > ringBytes - guardBytes ? count : ringBytes);
    }
    this.#pass(cursor, slice(second, cursor, count));
  }

  /** It has written these there; a line end among them may have been delivered. */
  #pass(cursor: number, bytes: Buffer): void {
    const early = this.#early;
    const isTold = bytes.subarray(0, early).equals(slice(this.#before, cursor, early));
    this.#early = 0;
    put(this.#before, cursor, bytes);
    this.#place = { known: true, cursor: (cursor + bytes.length) % ringBytes };
    this.#deliver(bytes.subarray(isTold ? Math.min(early, bytes.length) : 0));
  }

  /** Between two looks a stretch has changed: the writer was at its start. All of the ring before that is newer than what was read. */
  #findWriter(delivered: boolean, readings: Readings): void {
    const { first, third } = readings;
    const { start, count } = changedStretch(this.#before, first);
    if (count > ringBytes - guardBytes) {
      this.#lappedTwice ||= delivered;
      return this.#lose(third, ringBytes);
    }
    if (!delivered) {
      const behind = (start - this.#lapped + ringBytes) % ringBytes;
      // So near to a whole ring, that may be all that was written.
      const isKnown = !this.#lappedTwice && behind > 0 && behind < ringBytes - guardBytes;
      this.#news.onLost(isKnown ? behind : undefined);
      const isOneRound = !this.#lappedTwice && behind >= this.#lappedBytes;
      this.#deliver(
        isOneRound
          ? slice(this.#before, this.#lapped, behind)
          : slice(this.#before, start, ringBytes),
      );
    }
    this.#place = { known: true, cursor: start };
    this.#advance(start, readings);
  }

  /** It has overtaken reading: the next change will show where it is. */
  #lose(now: Buffer, lappedBytes: number): void {
    this.#before = now;
    this.#place = { known: false, delivered: false };
    this.#lappedBytes = lappedBytes;
  }

  /** Last words must not wait for a next change. Where they begin in the ring is not known: they are told from where reading was. */
  endHere(): void {
    if (this.#place.known || this.#place.delivered) return;
    this.#place = { known: false, delivered: true };
    this.#news.onLost(undefined);
    this.#deliver(slice(this.#before, this.#lapped, this.#lappedBytes));
  }

  /** A line end where an old one stood makes no difference to compare: after a while it is taken for written. */
  endLine(): void {
    if (!this.#place.known || this.#early > 0) return;
    const next = lineEndAt(this.#before, this.#place.cursor);
    if (next.length === 0) return;
    this.#early = next.length;
    this.#deliver(next);
  }

  #deliver(bytes: Buffer): void {
    if (bytes.length > 0) this.#news.onBytes(Buffer.from(bytes));
  }
}
