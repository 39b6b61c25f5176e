/** boots.jsonl: a line for each start that boots its guest, and for each of its steps, so that a daemon that is killed leaves what it saw. */
import type { BootStep } from './boots.ts';
import { RecordFile } from './record-file.ts';

/** Some 200 starts; then the older half goes. */
const mostBytes = 256 * 1024;

/** Of one start. */
export class BootRecord {
  readonly #file: RecordFile;

  /** It began at this wall time in ms. */
  constructor(path: string, at: number) {
    this.#file = new RecordFile(path, { mostBytes, begins: '{"version"' });
    this.#file.append({ version: 1, begun: new Date(at).toISOString() });
  }

  step({ name, ms }: BootStep): void {
    this.#file.append({ name, ms });
  }
}
