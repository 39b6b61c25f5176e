/** The status file as the daemon keeps it: written at each change, and again as soon as it can be where it could not. */
import type { Layout } from '../config/layout.ts';
import { failureOf, type Failure } from '../system/failure.ts';
import type { Log } from '../system/log.ts';
import { writeStatus, type Status } from './status.ts';

export interface StatusRecordOptions {
  readonly layout: Layout;
  readonly log: Log;
  /** Whether the state directory is still the one that we have locked. */
  readonly isOurs: () => boolean;
}

export class StatusRecord {
  readonly #options: StatusRecordOptions;
  #unwritten: Status | undefined;
  #trouble: Failure | undefined;

  constructor(options: StatusRecordOptions) {
    this.#options = options;
  }

  /** Why the file does not say what is true; undefined when it does. */
  get trouble(): Failure | undefined {
    return this.#trouble;
  }

  /** Replaces the file, unless it would be another daemon's. */
  write(status: Status): void {
    const { layout, log, isOurs } = this.#options;
    if (!isOurs()) return;
    try {
      writeStatus(layout, status);
      if (this.#trouble !== undefined) log('info', 'status-written-again');
      this.#unwritten = this.#trouble = undefined;
    } catch (error) {
      const failure = failureOf(error);
      if (this.#trouble === undefined) log('error', 'status-not-written', { failure });
      this.#unwritten = status;
      this.#trouble = failure;
    }
  }

  /** Writes what could not be written. */
  retry(): void {
    if (this.#unwritten !== undefined) this.write(this.#unwritten);
  }
}
