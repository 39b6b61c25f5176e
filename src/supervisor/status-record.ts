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
  /** Called with each record, after it was written, and with why it could not be. */
  readonly onStatus?: (status: Status, trouble: Failure | undefined) => void;
}

export class StatusRecord {
  readonly #options: StatusRecordOptions;
  readonly #compose: () => Status;
  #unwritten: Status | undefined;
  #trouble: Failure | undefined;
  /** Something changed since the last record. */
  #isStale = false;

  /** `compose` tells what is true now. */
  constructor(options: StatusRecordOptions, compose: () => Status) {
    this.#options = options;
    this.#compose = compose;
  }

  /** Says what is true now. */
  write(): void {
    this.#isStale = false;
    const status = this.#compose();
    this.#replace(status);
    this.#options.onStatus?.(status, this.#trouble);
  }

  /** The same, with what else changes in this turn of the event loop: a start learns several things at once. */
  writeSoon(): void {
    if (this.#isStale) return;
    this.#isStale = true;
    setImmediate(() => {
      if (this.#isStale) this.write();
    });
  }

  /** Writes what could not be written. */
  retry(): void {
    if (this.#unwritten !== undefined) this.#replace(this.#unwritten);
  }

  /** Unless it would be another daemon's. */
  #replace(status: Status): void {
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
}
