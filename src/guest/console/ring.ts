/**
 * Following a ring: a file of fixed size that another process writes through a shared mapping, round and round, with no
 * mark of where it is (HyperKit's `log=`: 64 KiB of plain bytes). Neither size nor times nor change events tell that
 * something was written, so it is read whole again and again and compared with what was there before.
 */
import type { Clock } from '../../system/time/clock.ts';
import { RingReader, ringBytes } from './ring-bytes.ts';
import { busyMs, isShort, nextLookMs } from './ring-pace.ts';
import { RingWriter } from './ring-writer.ts';

interface RingOptions {
  readonly path: string;
  readonly clock: Clock;
  /** How often it is looked at where nothing is said of it: {@link nextLookMs}. */
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

/** Last words that nothing follows wait so long for something that shows their place. */
const unplacedMs = 250;
/** Looks without a change after which a line end that stands there already counts as written. */
const quietLooks = 2;

/** Follows one ring, which may not be there yet, or be begun anew. */
export class Ring {
  readonly #options: RingOptions;
  #pollMs: number;
  readonly #reader: RingReader;
  readonly #writer: RingWriter;
  /** For readings of which nothing is kept. */
  readonly #scratch = Buffer.alloc(ringBytes);
  #quiet = 0;
  #fresh = 0;
  #stopped = false;
  #cancel: () => void = () => undefined;

  constructor(options: RingOptions) {
    this.#options = options;
    this.#pollMs = options.pollMs;
    this.#reader = new RingReader(options.path);
    this.#writer = new RingWriter({
      onBytes: (bytes) => {
        this.#fresh += bytes.length;
        options.onBytes(bytes);
      },
      onLost: (atLeastBytes) => options.onLost?.(atLeastBytes),
    });
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
    const { cursor, before } = this.#writer;
    if (this.#options.read !== undefined || cursor === undefined) return false;
    if (!isShort({ pollMs: this.#pollMs, quiet: this.#quiet })) return false;
    return this.#reader.isAsBefore(before, cursor);
  }

  pollEvery(ms: number): void {
    this.#pollMs = ms;
    if (!this.#stopped) this.#schedule();
  }

  /** Nothing more is written: looks at once, and waits for nothing that would show the place of the last words. */
  readToEnd(): void {
    if (this.#stopped) return;
    this.#look();
    this.#writer.endHere();
    this.#writer.endLine();
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
    const { isSought } = this.#writer;
    const looks = { pollMs: this.#pollMs, quiet: this.#quiet, fresh: this.#fresh, isSought };
    this.#cancel = this.#options.clock.after(nextLookMs(looks), () => this.poke());
  }

  /**
   * Three readings: what the first shows to be new was written before the second, so the second has all of it untorn; and what
   * was read before that is still there in the third, or the writer came round while we stood still between them.
   */
  #look(): void {
    this.#fresh = 0;
    const first = this.#read(this.#scratch);
    if (first === undefined) return;
    if (first.equals(this.#writer.before)) return this.#stillQuiet();
    this.#quiet = 0;
    this.#writer.beginAnewIn(first);
    const second = this.#read() ?? Buffer.from(first);
    this.#writer.follow({ first, second, third: this.#read() ?? second });
  }

  #read(into?: Buffer): Buffer | undefined {
    const { read, path } = this.#options;
    return read === undefined ? this.#reader.whole(into) : read(path);
  }

  #stillQuiet(): void {
    this.#quiet++;
    if (this.#quiet < quietLooks) return;
    if (this.#writer.cursor !== undefined) this.#writer.endLine();
    else if (this.#quiet * busyMs >= unplacedMs) this.#writer.endHere();
  }
}
