/**
 * One at a time through a narrow way. QEMU's user network listens with a backlog of one (`listen(s, 1)` in libslirp's
 * tcp_listen): of a crowd that connects at once the host's kernel drops what does not fit, and tries it again after 1, 2, 4
 * and more seconds, while the client's end is connected and silent.
 */
import { addAbortListener } from 'node:events';
import { reasonOf, type Clock } from '../system/time/clock.ts';

/** Who comes waits until the one before has been heard, or has had its time. */
export class ConnectThrottle {
  readonly #clock: Clock;
  readonly #holdMs: number;
  #last: Promise<void> = Promise.resolve();

  /** `holdMs`: how long one who says nothing keeps the next one waiting. */
  constructor(clock: Clock, holdMs: number) {
    this.#clock = clock;
    this.#holdMs = holdMs;
  }

  /** Resolves when it is this caller's turn, in order of the calls; the result ends the turn. Rejects with the signal's reason. */
  async enter(signal: AbortSignal): Promise<() => void> {
    const before = this.#last;
    let pass: () => void = () => undefined;
    const passed = new Promise<void>((resolve) => (pass = resolve));
    this.#last = before.then(() => passed);
    try {
      await unless(signal, before);
    } catch (error) {
      pass();
      throw error;
    }
    const cancel = this.#clock.after(this.#holdMs, pass);
    return () => {
      cancel();
      pass();
    };
  }
}

/** The wait, or the signal's reason if that comes first. */
function unless(signal: AbortSignal, wait: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(reasonOf(signal));
    const onAbort = () => reject(reasonOf(signal));
    const listening = addAbortListener(signal, onAbort);
    void wait.then(() => {
      listening[Symbol.dispose]();
      resolve();
    });
  });
}
