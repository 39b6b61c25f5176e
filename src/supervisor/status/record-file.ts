/** A file of ours to which a line is added now and then, cut by size: of a full disk, or a directory that is gone, it loses lines and never the daemon. */
import { appendFileSync, readFileSync } from 'node:fs';
import { errorCode, Failed } from '../../system/failure.ts';
import { readIfThere, sizeIfThere, writeWhole } from '../../system/files/files.ts';

interface RecordOptions {
  readonly mostBytes: number;
  /** How the first line begins that is kept of an older half. */
  readonly begins: string;
}

export class RecordFile {
  readonly #path: string;
  readonly #options: RecordOptions;

  constructor(path: string, options: RecordOptions) {
    this.#path = path;
    this.#options = options;
    this.#write(() => {
      if (isTorn(path)) appendFileSync(path, '\n');
    });
  }

  append(line: object): void {
    const { mostBytes, begins } = this.#options;
    const path = this.#path;
    this.#write(() => {
      if ((sizeIfThere(path) ?? 0) > mostBytes) writeWhole(path, newerHalf(path, begins));
      appendFileSync(path, `${JSON.stringify(line)}\n`, { mode: 0o600 });
    });
  }

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

function newerHalf(path: string, begins: string): string {
  const text = readFileSync(path, 'utf8');
  const half = text.slice(text.length / 2);
  return half.slice(Math.max(0, half.indexOf(`\n${begins}`) + 1));
}
