/** What a child itself says: a file of its own, followed into our log, its last lines kept for when it fails. */
import { rmSync } from 'node:fs';
import type { Clock } from '../../system/time/clock.ts';
import type { Log } from '../../system/log.ts';
import { plainText } from '../../system/plain-text.ts';
import { LineSplitter } from '../../system/files/line-splitter.ts';
import { Tail } from '../../system/files/tail.ts';

/** Of one child, for its life. */
export interface ChildOutput {
  /** The last lines, oldest first, with what came this moment. */
  last(count?: number): readonly string[];
  /** Looks now. */
  poke(): void;
  close(): Promise<void>;
}

/** The daemon's tick looks sooner; what they say at their end is read when they end. */
const pollMs = 30_000;
/** Lines that go with a failure. */
const told = 20;
/** Behind an error some programs print all that they can do. */
const kept = 80;

export interface FollowOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** What says nothing, and is said often. */
  readonly isNoise?: ((line: string) => boolean) | undefined;
  /** Each of the others, as it comes. */
  readonly onLine?: ((line: string) => void) | undefined;
}

/** Begins the file anew and follows it. It is emptied when it has grown to 1 MiB. */
export function followOutput(
  path: string,
  child: string,
  { clock, log, isNoise = () => false, onLine }: FollowOptions,
): ChildOutput {
  rmSync(path, { force: true });
  const splitter = new LineSplitter();
  let lines: string[] = [];
  const take = (said: readonly string[]) => {
    const more = said.filter((line) => !isNoise(line)).map(plainText);
    for (const text of more) {
      log('info', 'child-says', { child, text });
      onLine?.(text);
    }
    lines = [...lines, ...more].slice(-kept);
  };
  const onBytes = (chunk: Buffer) => take(splitter.push(chunk));
  const tail = new Tail({ path, clock, pollMs, maxBytes: 1024 * 1024, onBytes });
  return {
    last: (count = told) => {
      tail.poke();
      return lines.slice(-count);
    },
    poke: () => tail.poke(),
    close: async () => {
      await tail.stop();
      take(splitter.end());
    },
  };
}
