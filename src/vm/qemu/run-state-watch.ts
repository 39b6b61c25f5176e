/** Asks a QEMU for the state that it is in and sees to it that what the table says is done, once for each change. */
import { Failed } from '../../system/failure.ts';
import { fieldsOf } from '../../system/socket/json-lines.ts';
import type { AttachOptions } from '../vm-driver.ts';
import type { Qmp } from './qmp.ts';
import { rowOf, runStateOf, type RunState } from '../run-states.ts';

interface RunStateNews extends Pick<AttachOptions, 'onPaused' | 'onResumed' | 'onLost'> {
  /** Whether the last error of the disk was for want of room. */
  readonly isDiskFull: () => boolean;
}

/** `unknown`: QEMU does not answer, or names a state that is not in the table. */
type Known = RunState | 'unknown';

/** Of one VM. */
export class RunStateWatch {
  readonly #news: RunStateNews;
  #qmp: Pick<Qmp, 'execute'> | undefined;
  #last: Known = 'running';

  constructor(news: RunStateNews) {
    this.#news = news;
  }

  /** There is a connection to ask through: asks at once, since what happened before has told nobody. */
  follow(qmp: Pick<Qmp, 'execute'>): Promise<void> {
    this.#qmp = qmp;
    return this.look();
  }

  /** It may be another one now. A connection that is gone is its loser's affair. */
  async look(): Promise<void> {
    try {
      const status = await this.#qmp?.execute('query-status');
      if (status !== undefined) this.#take(stateIn(status));
    } catch (error) {
      if (!(error instanceof Failed)) throw error;
      if (error.failure.unanswered === true) this.#take('unknown');
    }
  }

  /** QEMU says that the guest goes on. */
  goesOn(): void {
    this.#take('running');
  }

  #take(state: Known): void {
    if (state === this.#last) return;
    this.#last = state;
    const { onPaused, onResumed, onLost, isDiskFull } = this.#news;
    if (state === 'unknown') return onPaused?.('unknown');
    const row = rowOf(state);
    switch (row.treatment) {
      case 'runs':
        return onResumed?.();
      case 'lost':
        return onLost?.(row.failure);
      case 'disk':
        return onPaused?.(isDiskFull() ? 'disk-full' : 'io-error');
      case 'woken':
        void this.#qmp?.execute('system_wakeup').catch(() => undefined);
        return onPaused?.('suspended');
      case 'left':
        // One cast: the table's rows of these treatments are states in which the guest stands still.
        return onPaused?.(state as Parameters<NonNullable<typeof onPaused>>[0]);
    }
  }
}

/** A state that a newer QEMU has is told by whether the guest runs in it. */
function stateIn(answer: unknown): Known {
  const { status, running } = fieldsOf(answer);
  return runStateOf(status) ?? (running === true ? 'running' : 'unknown');
}
