/**
 * The status file as the daemon keeps it: written when the turn of the event loop that changed something is over, so that who acts on a
 * change acts first; and again, as soon as it can be, where it could not.
 */
import type { Layout } from '../../config/layout.ts';
import { failureOf, type Failure } from '../../system/failure.ts';
import { sizeIfThere } from '../../system/files/files.ts';
import type { Log } from '../../system/log.ts';
import type { Status } from './status-schema.ts';
import { writeStatus } from './status-file.ts';

interface StatusRecordOptions {
  readonly layout: Layout;
  readonly log: Log;
  /** Whether the state directory is still the one that we have locked. */
  readonly isOurs: () => boolean;
  /** Called with each record, and why the last one could not be written; again where that changes. */
  readonly onStatus?: (status: Status, trouble: Failure | undefined) => void;
}

/** Writes the newest; what could not be written is told once, until it can be. */
export class StatusRecord {
  readonly #options: StatusRecordOptions;
  readonly #compose: () => Status;
  #unwritten: Status | undefined;
  #trouble: Failure | undefined;
  /** There was a record: where there is none, somebody took it. */
  #isTold = false;
  /** It is written at the end of this turn. */
  #isDue = false;
  /** Something changed that the last record does not have. */
  #isStale = false;

  /** `compose` tells what is true now. */
  constructor(options: StatusRecordOptions, compose: () => Status) {
    this.#options = options;
    this.#compose = compose;
  }

  /** Says what is true now. */
  write(): void {
    this.#isStale = false;
    this.#unwritten = this.#compose();
    this.#options.onStatus?.(this.#unwritten, this.#trouble);
    this.#finishSoon();
  }

  /** The same, with what else changes in this turn: a start learns several things at once. */
  writeSoon(): void {
    this.#isStale = true;
    this.#finishSoon();
  }

  /** Writes what is not written, or, with `namesToo`, is not there any more: to be called now and then. */
  keep(namesToo: boolean): void {
    if (namesToo && this.#isTold && sizeIfThere(this.#options.layout.status) === undefined)
      this.#isStale = true;
    this.finish();
  }

  /** Writes what is not written. */
  finish(): void {
    if (this.#isStale) this.write();
    if (this.#unwritten !== undefined) this.#replace(this.#unwritten);
  }

  #finishSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      this.finish();
    });
  }

  /** Unless it would be another daemon's. */
  #replace(status: Status): void {
    const { layout, log, isOurs, onStatus } = this.#options;
    if (!isOurs()) return;
    const before = this.#trouble;
    try {
      writeStatus(layout, status);
      if (before !== undefined) log('info', 'status-written-again');
      this.#unwritten = this.#trouble = undefined;
      this.#isTold = true;
    } catch (error) {
      this.#trouble = failureOf(error);
      if (before === undefined) log('error', 'status-not-written', { failure: this.#trouble });
    }
    if (before?.kind !== this.#trouble?.kind) onStatus?.(status, this.#trouble);
  }
}
