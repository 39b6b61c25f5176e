/**
 * Following a ring: a file of fixed size that another process writes through a shared mapping, round and round, with no
 * mark of where it is (HyperKit's `log=`: 64 KiB of plain bytes). Neither size nor times nor change events tell that
 * something was written, so it is read whole again and again and compared with what was there before.
 */
import type { Clock } from '../../system/time/clock.ts';
import {
  RingReader,
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

interface RingOptions {
  readonly path: string;
  readonly clock: Clock;
  /** How often it is looked at; at most {@link slowestMs} apart, and {@link busyMs} while much comes. */
  readonly pollMs: number;
  /** New bytes, in order; the buffer is the receiver's to keep. */
  readonly onBytes: (chunk: Buffer) => void;
  /**
   * At least so many bytes were overwritten before they were read, and any number of rings more; undefined where nobody knows
   * how many. Told before the bytes that follow them.
   */
  readonly onLost?: (atLeastBytes: number | undefined) => void;
  /** How the file is read, each time whole; for tests, in which something happens between two readings. */
  readonly read?: (path: string) => Buffer | undefined;
}

/** A megabyte a second fills the ring in 65 ms. */
const busyMs = 15;
/** So a guest that was quiet may begin to write a megabyte a second. */
const slowestMs = 50;
/** While nothing comes, only one look of so many is at the whole ring: half a second apart. */
const wholeEvery = 10;
/** Last words that nothing follows wait so long for something that shows their place. */
const unplacedMs = 250;
/** So many bytes in one look are much. */
const muchBytes = 4_096;
/** Looks without a change after which a line end that stands there already counts as written. */
const quietLooks = 2;

/** Where the writer is. `lost`: it has lapped us, and the next change will show where it is. */
type Place =
  | { readonly known: true; readonly cursor: number }
  | { readonly known: false; readonly delivered: boolean };

type Readings = Readonly<Record<'first' | 'second' | 'third', Buffer>>;

/** Follows one ring, which may not be there yet, or be begun anew. */
export class Ring {
  readonly #options: RingOptions;
  #pollMs: number;
  #before: Buffer = Buffer.alloc(ringBytes);
  #place: Place = { known: true, cursor: 0 };
  readonly #reader: RingReader;
  /** For readings of which nothing is kept. */
  readonly #scratch = Buffer.alloc(ringBytes);
  /** Bytes behind the cursor that were delivered although they may be old: a line end. */
  #early = 0;
  #quiet = 0;
  #fresh = 0;
  /** Where reading was when the writer overtook it; of no meaning when it has done so again behind {@link #deliverUnplaced}. */
  #lapped = 0;
  /** So many bytes from there were seen to have changed; what is behind them, to the end of the round, may be old. */
  #lappedBytes = ringBytes;
  #lappedTwice = false;
  #stopped = false;
  #cancel: () => void = () => undefined;

  constructor(options: RingOptions) {
    this.#options = options;
    this.#pollMs = options.pollMs;
    this.#reader = new RingReader(options.path);
    this.#schedule();
  }

  poke(): void {
    if (this.#stopped) return;
    if (this.#seemsQuiet()) this.#stillQuiet();
    else this.#look();
    this.#schedule();
  }

  /** A short look, where most are without anything new. */
  #seemsQuiet(): boolean {
    if (this.#options.read !== undefined || !this.#place.known) return false;
    if (this.#quiet === 0 || this.#quiet % wholeEvery === 0) return false;
    return this.#reader.isAsBefore(this.#before, this.#place.cursor);
  }

  pollEvery(ms: number): void {
    this.#pollMs = ms;
    if (!this.#stopped) this.#schedule();
  }

  /** Nothing more is written: looks at once, and waits for nothing that would show the place of the last words. */
  readToEnd(): void {
    if (this.#stopped) return;
    this.#look();
    this.#deliverUnplaced();
    if (this.#place.known) this.#endLine(this.#place.cursor);
  }

  /** One last look, then no more. */
  stop(): Promise<void> {
    this.readToEnd();
    this.#stopped = true;
    this.#cancel();
    this.#reader.close();
    return Promise.resolve();
  }

  #schedule(): void {
    this.#cancel();
    const isSought = !this.#place.known && !this.#place.delivered;
    const busy = this.#fresh > muchBytes || isSought;
    const ms = busy ? busyMs : Math.min(this.#pollMs, slowestMs);
    this.#cancel = this.#options.clock.after(ms, () => this.poke());
  }

  /**
   * Three readings: what the first shows to be new was written before the second, so the second has all of it untorn; and what
   * was read before that is still there in the third, or the writer came round while we stood still between them.
   */
  #look(): void {
    this.#fresh = 0;
    const first = this.#read(this.#scratch);
    if (first === undefined) return;
    if (first.equals(this.#before)) return this.#stillQuiet();
    this.#quiet = 0;
    if (this.#beganAnew(first)) this.#beginAnew();
    const second = this.#read() ?? Buffer.from(first);
    const readings = { first, second, third: this.#read() ?? second };
    if (this.#place.known) this.#advance(this.#place.cursor, readings);
    else this.#findWriter(this.#place.delivered, readings);
  }

  #read(into?: Buffer): Buffer | undefined {
    const { read, path } = this.#options;
    return read === undefined ? this.#reader.whole(into) : read(path);
  }

  /** What was read last is not there any more, and the end is empty: a new writer has truncated the file. It writes from the start. */
  #beganAnew(now: Buffer): boolean {
    const end = endOfText(now);
    if (end > ringBytes - guardBytes || (end > 0 && now[0] === 0)) return false;
    return !this.#place.known || !isGuarded(this.#before, now, this.#place.cursor);
  }

  #beginAnew(): void {
    this.#before = Buffer.alloc(ringBytes);
    this.#place = { known: true, cursor: 0 };
    this.#early = 0;
  }

  #advance(cursor: number, readings: Readings): void {
    const { first, second, third } = readings;
    const count = lastChange(this.#before, first, cursor) + 1;
    // Nothing yet where this was the last reading's own restart.
    if (count === 0) return;
    const isOvertaken = count > ringBytes - guardBytes || !isGuarded(this.#before, third, cursor);
    const elsewhere = whereInstead(this.#before, first, cursor, isOvertaken);
    if (elsewhere !== undefined) {
      this.#options.onLost?.(undefined);
      this.#early = 0;
      return this.#advance(elsewhere, readings);
    }
    if (isOvertaken) {
      this.#before = third;
      this.#place = { known: false, delivered: false };
      this.#lapped = cursor;
      this.#lappedBytes = count > ringBytes - guardBytes ? count : ringBytes;
      this.#lappedTwice = false;
      return;
    }
    const bytes = slice(second, cursor, count);
    const skip = bytes.subarray(0, this.#early).equals(slice(this.#before, cursor, this.#early))
      ? Math.min(this.#early, count)
      : 0;
    this.#early = 0;
    put(this.#before, cursor, bytes);
    this.#place = { known: true, cursor: (cursor + count) % ringBytes };
    this.#deliver(bytes.subarray(skip));
  }

  /** Between two looks a stretch has changed: the writer was at its start. All of the ring before that is newer than what was read. */
  #findWriter(delivered: boolean, readings: Readings): void {
    const { first, third } = readings;
    const { start, count } = changedStretch(this.#before, first);
    if (count > ringBytes - guardBytes) {
      this.#lappedTwice ||= delivered;
      this.#lappedBytes = ringBytes;
      this.#before = third;
      this.#place = { known: false, delivered: false };
      return;
    }
    if (!delivered) {
      const behind = (start - this.#lapped + ringBytes) % ringBytes;
      // So near to a whole ring, that may be all that was written.
      const isKnown = !this.#lappedTwice && behind > 0 && behind < ringBytes - guardBytes;
      this.#options.onLost?.(isKnown ? behind : undefined);
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

  #stillQuiet(): void {
    this.#quiet++;
    if (this.#quiet < quietLooks) return;
    if (this.#place.known) this.#endLine(this.#place.cursor);
    else if (this.#quiet * busyMs >= unplacedMs) this.#deliverUnplaced();
  }

  /** Last words must not wait for a next change. Where they begin in the ring is not known: they are told from where reading was. */
  #deliverUnplaced(): void {
    if (this.#place.known || this.#place.delivered) return;
    this.#place = { known: false, delivered: true };
    this.#options.onLost?.(undefined);
    this.#deliver(slice(this.#before, this.#lapped, this.#lappedBytes));
  }

  /** A line end where an old one stood makes no difference to compare: after a while it is taken for written. */
  #endLine(cursor: number): void {
    if (this.#early > 0) return;
    const next = lineEndAt(this.#before, cursor);
    if (next.length === 0) return;
    this.#early = next.length;
    this.#deliver(next);
  }

  #deliver(bytes: Buffer): void {
    this.#fresh += bytes.length;
    if (bytes.length > 0) this.#options.onBytes(Buffer.from(bytes));
  }
}
