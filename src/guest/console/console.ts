/** The guest's console: bytes that a VM program leaves in a file, as lines, live and in a log that spans boots. */
import type { Clock } from '../../system/time/clock.ts';
import { Ring } from './ring.ts';
import { LineSplitter } from '../../system/files/line-splitter.ts';
import { Tail } from '../../system/files/tail.ts';
import {
  lostWords,
  ConsoleLog,
  consoleText,
  type ConsoleLine,
  type ConsoleLogOptions,
} from './console-log.ts';
import { forget, rescue } from './last-words.ts';

export type { ConsoleLine } from './console-log.ts';

/** What is followed, how it is written, and where its lines go. */
export interface ConsoleOptions {
  /** The file that the VM program writes. */
  readonly path: string;
  /** The log of decoded lines, with times, over many boots. */
  readonly logPath: string;
  /** How the VM program writes it. `append`: a file that grows, opened O_APPEND. `ring`: see ring.ts. */
  readonly kind: 'append' | 'ring';
  readonly clock: Clock;
  readonly onLine: (line: ConsoleLine) => void;
  /** At least so many bytes came at once, or were overwritten, that they were not read; undefined where nobody knows. */
  readonly onLost?: (atLeastBytes: number | undefined) => void;
  readonly rotation?: ConsoleLogOptions;
}

/** The console of one boot. */
export interface Console {
  /** The last lines, oldest first; at most 200 are kept. */
  last(count: number): string[];
  /** Somebody saw the file change: looks at once. */
  poke(): void;
  /** The VM has ended: takes all that it wrote, also the last words that have no end, or no known place in a ring. */
  readToEnd(): void;
  /** The guest is ready: whoever keeps a tick pokes; without one it looks every 30 s. */
  settle(): void;
  /** Reads to the end, the last line too if it is without end. Nothing comes after it. */
  close(): Promise<void>;
  /** After {@link close}: all that the guest wrote was read, so no later boot need look for what was not. */
  forget(): void;
  /** Bytes that the guest has written in this boot: that they grow is a sign of life. */
  readonly bytes: number;
}

/**
 * Opens the console for a boot that is about to begin, before its VM program runs. What an earlier guest left unread in
 * the file (its daemon was killed) goes to the log first, and the file is removed.
 */
export function openConsole(options: ConsoleOptions): Console {
  const log = new ConsoleLog(options.logPath, options.rotation);
  rescue(options.path, log, options.clock.now());
  log.mark(options.clock.now(), 'boot');
  return new OpenConsole(options, log);
}

class OpenConsole implements Console {
  readonly #options: ConsoleOptions;
  readonly #log: ConsoleLog;
  readonly #splitter = new LineSplitter();
  readonly #source: Source;
  #kept: string[] = [];
  #bytes = 0;

  constructor(options: ConsoleOptions, log: ConsoleLog) {
    this.#options = options;
    this.#log = log;
    this.#source = sources[options.kind]({
      path: options.path,
      clock: options.clock,
      pollMs: bootPollMs[options.kind],
      onBytes: (chunk) => {
        this.#bytes += chunk.length;
        this.#take(this.#splitter.push(chunk));
      },
      onLost: (bytes) => this.#lose(bytes),
    });
  }

  get bytes(): number {
    return this.#bytes;
  }

  last(count: number): string[] {
    return count > 0 ? this.#kept.slice(-count) : [];
  }

  poke(): void {
    this.#source.poke();
  }

  readToEnd(): void {
    this.#source.readToEnd();
    this.#take(this.#splitter.end());
  }

  settle(): void {
    this.#source.pollEvery(settledMs);
  }

  async close(): Promise<void> {
    await this.#source.stop();
    this.#take(this.#splitter.end());
  }

  forget(): void {
    forget(this.#options.path);
  }

  #take(texts: readonly string[]): void {
    const at = this.#options.clock.now();
    const lines = texts.map((text) => ({ at, text: consoleText(text) }));
    this.#log.append(lines);
    this.#kept = [...this.#kept, ...lines.map(({ text }) => text)].slice(-keptLines);
    for (const line of lines) this.#options.onLine(line);
  }

  #lose(atLeastBytes: number | undefined): void {
    this.#take(this.#splitter.end());
    this.#log.mark(this.#options.clock.now(), lostWords(atLeastBytes));
    this.#options.onLost?.(atLeastBytes);
  }
}

/** Enough for a panic with its call trace, which may have a hundred lines. */
const keptLines = 200;
/** While it boots: whoever waits for a guest waits for half of this, too. A look at a file costs little, one at a ring reads all of it. */
const bootPollMs: Record<ConsoleOptions['kind'], number> = { append: 25, ring: 100 };
/** The daemon's own tick pokes every 5 s: a second timer of that length would only wake it twice. */
const settledMs = 30_000;

/** Where bytes come from: one entry for each way in which VM programs write their console. */
const sources: Record<ConsoleOptions['kind'], (options: SourceOptions) => Source> = {
  append: (options) => new Tail(options),
  ring: (options) => new Ring(options),
};

interface SourceOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly pollMs: number;
  readonly onBytes: (chunk: Buffer) => void;
  readonly onLost: (atLeastBytes: number | undefined) => void;
}

interface Source {
  poke(): void;
  readToEnd(): void;
  pollEvery(ms: number): void;
  stop(): Promise<void>;
}
