/**
 * A QEMU's guest as a file, by migration. The sandbox forbids `exec:`, so QEMU writes and reads the file itself (`file:`, with each page
 * in its place: `mapped-ram`, QEMU 9.0), or hands the stream to us (`unix:`). See QEMU's docs/devel/migration.
 */
import type { Clock } from '../../system/time/clock.ts';
import { within } from '../../system/time/deadline.ts';
import { Failed, failureOf } from '../../system/failure.ts';
import { fieldsOf } from '../../system/socket/json-lines.ts';
import type { VmMemory, SaveOptions } from '../vm-driver.ts';
import {
  halted,
  notHalted,
  notLoaded,
  notResumed,
  notSaved,
  notSavedWithin,
} from './memory-failures.ts';
import { MemoryStream } from './memory-stream.ts';
import type { Qmp } from './qmp.ts';

type Talk = Pick<Qmp, 'execute'>;

/** The first QEMU that puts each page in its place in the file; `file:` alone came with 8.2, and takes no less time than `unix:`. */
const mappedSince = 9;
const everyMs = 10;
/** A migration that is cancelled has ended within 0.1 s, on a busy machine later. */
const backMs = 5_000;
const backEveryMs = 20;
/** 1 TiB/s: QEMU's own limit of 128 MiB/s counts for a guest that stands still, too. */
const unlimited = 2 ** 40;

/** Of one VM, over its QMP connection. */
export class QemuMemory implements VmMemory {
  readonly #qmp: Talk;
  readonly #clock: Clock;
  readonly #socket: string;

  constructor(qmp: Talk, { clock, socket }: { readonly clock: Clock; readonly socket: string }) {
    this.#qmp = qmp;
    this.#clock = clock;
    this.#socket = socket;
  }

  async save(path: string, { signal, timeoutMs }: SaveOptions): Promise<void> {
    const isMapped = await this.#setUp();
    await this.#qmp.execute('migrate-set-parameters', { 'max-bandwidth': unlimited });
    const stream = isMapped ? undefined : await MemoryStream.listen(this.#socket, path);
    try {
      const write = async (inTime: AbortSignal) => {
        await this.#halt();
        // It may have been taken back meanwhile.
        inTime.throwIfAborted();
        await this.#qmp.execute('migrate', { uri: stream?.uri ?? `file:${path}` }, inTime);
        // Where the file cannot be written, that says more than QEMU does.
        await Promise.all([stream?.written, this.#untilSaved(inTime)]);
      };
      const late = () => notSavedWithin(timeoutMs);
      await within(write, { clock: this.#clock, timeoutMs, signal, late });
    } catch (error) {
      await this.takeBack();
      throw error;
    } finally {
      stream?.close();
    }
  }

  async leave(): Promise<void> {
    await this.#qmp.execute('quit');
  }

  async load(path: string, signal: AbortSignal): Promise<void> {
    const isMapped = await this.#setUp();
    const uri = isMapped ? `file:${path}` : `unix:${this.#socket}`;
    await this.#qmp.execute('migrate-incoming', { uri });
    if (!isMapped) await MemoryStream.feed(path, this.#socket, { clock: this.#clock, signal });
    for (;;) {
      const { status } = fieldsOf(await this.#qmp.execute('query-status'));
      // It was saved while it was halted, and so comes back.
      if (status === 'paused') return;
      if (status !== 'inmigrate') throw new Failed(notLoaded(status));
      await this.#clock.sleep(everyMs, signal);
    }
  }

  /** By us: a guest whose disk has failed in that moment has a write to repeat, which is in no file. */
  async #halt(): Promise<void> {
    await this.#qmp.execute('stop');
    const { status } = fieldsOf(await this.#qmp.execute('query-status'));
    if (status !== 'paused') throw new Failed(notHalted(status));
  }

  /** Whether this QEMU writes and reads the file itself; both ends have to be told. */
  async #setUp(): Promise<boolean> {
    const { major } = fieldsOf(fieldsOf(await this.#qmp.execute('query-version'))['qemu']);
    const isMapped = typeof major === 'number' && major >= mappedSince;
    const capabilities = [{ capability: 'mapped-ram', state: true }];
    if (isMapped) await this.#qmp.execute('migrate-set-capabilities', { capabilities });
    return isMapped;
  }

  async #untilSaved(signal: AbortSignal): Promise<void> {
    for (;;) {
      const found = fieldsOf(await this.#qmp.execute('query-migrate'));
      if (found['status'] === 'completed') return;
      if (ended.has(found['status'])) throw new Failed(notSaved(found['error-desc']));
      await this.#clock.sleep(everyMs, signal);
    }
  }

  /**
   * QEMU only asks a migration to end, and refuses to have the guest go on until it has (`Migration is not finalized yet`, from the state
   * `finish-migrate`; qmp_cont and migration_completion of its source): it is asked again.
   */
  async takeBack(): Promise<void> {
    const ask = async (inTime: AbortSignal) => {
      await this.#qmp.execute('migrate_cancel', undefined, inTime).catch(() => undefined);
      for (;;) {
        await this.#qmp.execute('cont', undefined, inTime).catch(() => undefined);
        const { status } = fieldsOf(await this.#qmp.execute('query-status', undefined, inTime));
        // Of any other state that it is in by now whoever follows those is told.
        if (!betweenFiles.has(status)) return;
        await this.#clock.sleep(backEveryMs, inTime);
      }
    };
    const late = () => notResumed(backMs);
    try {
      await within(ask, { clock: this.#clock, timeoutMs: backMs, late });
    } catch (error) {
      const { kind, message } = failureOf(error);
      throw kind === 'guest-halted' ? error : new Failed(halted(message), { cause: error });
    }
  }
}

/** States of a migration from which it does not go on (QEMU's qapi/migration.json, MigrationStatus). */
const ended: ReadonlySet<unknown> = new Set(['failed', 'cancelled', 'cancelling']);

/** States in which it stands still for our sake. */
const betweenFiles: ReadonlySet<unknown> = new Set(['paused', 'finish-migrate', 'postmigrate']);
