/** boots.jsonl: a line for each start that begins, and for each of its steps, so that a daemon that is killed leaves what it saw. */
import { appendFileSync, readFileSync } from 'node:fs';
import { errorCode, Failed } from '../../system/failure.ts';
import { readIfThere, sizeIfThere, writeWhole } from '../../system/files/files.ts';
import type { Step } from './boots.ts';

/** Some 200 starts; then the older half goes. */
const mostBytes = 256 * 1024;

/** Of one start. */
export class BootRecord {
  readonly #path: string;

  /** A start begins, at this wall time in ms. */
  constructor(path: string, at: number) {
    this.#path = path;
    this.#write(() => {
      if ((sizeIfThere(path) ?? 0) > mostBytes) writeWhole(path, newerHalf(path));
      if (isTorn(path)) appendFileSync(path, '\n');
    });
    this.#append({ version: 1, begun: new Date(at).toISOString() });
  }

  step({ name, ms }: Step): void {
    this.#append({ name, ms });
  }

  #append(line: object): void {
    this.#write(() => appendFileSync(this.#path, `${JSON.stringify(line)}\n`, { mode: 0o600 }));
  }

  /** A full disk loses lines, never the daemon. */
  #write(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (errorCode(error) === undefined && !(error instanceof Failed)) throw error;
    }
  }
}

/** Whether its last line has no end: a full disk, or a crash of the machine, took that. */
const isTorn = (path: string): boolean => !['', '\n'].includes(readIfThere(path)?.slice(-1) ?? '');

/** From the first start in it on. */
function newerHalf(path: string): string {
  const text = readFileSync(path, 'utf8');
  const half = text.slice(text.length / 2);
  return half.slice(Math.max(0, half.indexOf('{"version"')));
}
