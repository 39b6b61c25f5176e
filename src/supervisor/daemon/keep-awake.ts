/**
 * Keeps a Mac on AC power from falling asleep while somebody is in the guest: a `caffeinate` of ours. Nothing runs, and nothing
 * wakes us, while nobody is.
 */
import { run } from '../../system/process/child.ts';
import type { Clock } from '../../system/time/clock.ts';
import type { Log } from '../../system/log.ts';
import { tryProgram } from '../../system/process/find-program.ts';

/** In the log of a machine that has none. */
export const noCaffeinate = 'caffeinate is not installed';

/** Nix comes and goes between two builds. */
const lingerMs = 10_000;

/** For a daemon's life. */
export class KeepAwake {
  readonly #clock: Clock;
  readonly #log: Log;
  #isWanted = false;
  #loggedIn = 0;
  #child: AbortController | undefined;
  #cancelEnd: () => void = () => undefined;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Whether the settings want it. */
  want(isWanted: boolean): void {
    this.#isWanted = isWanted;
    if (isWanted) this.note(this.#loggedIn);
    else this.end();
  }

  /** So many connections have logged in now. */
  note(loggedIn: number): void {
    const was = this.#loggedIn;
    this.#loggedIn = loggedIn;
    if (loggedIn > 0) {
      this.#cancelEnd();
      if (this.#isWanted && this.#child === undefined) this.#begin();
    } else if (was > 0 && this.#child !== undefined)
      this.#cancelEnd = this.#clock.after(lingerMs, () => this.end());
  }

  /** At once. */
  end(): void {
    this.#cancelEnd();
    this.#child?.abort();
    this.#child = undefined;
  }

  /** One that cannot do it is told once, and tried again after the next time in which nobody is in. */
  #begin(): void {
    const child = (this.#child = new AbortController());
    const program = tryProgram('caffeinate');
    if (program === undefined)
      return this.#log('warn', 'keep-awake', { is: false, why: noCaffeinate });
    this.#log('info', 'keep-awake', { is: true });
    // -s: on AC power only. -w: it ends with us, however we end.
    const argv = ['-s', '-w', String(process.pid)];
    void run(program, argv, { signal: child.signal }).then(({ ended, stderr }) => {
      if (child.signal.aborted) return this.#log('info', 'keep-awake', { is: false });
      this.#log('warn', 'keep-awake', { is: false, ended, said: stderr.trim() });
    });
  }
}
