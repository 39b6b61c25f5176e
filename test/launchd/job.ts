/** One job of the stand-in launchd: the rules of launchd.plist(5) and of launchd's own core.c for one process. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

/** What is read from a plist. */
export interface JobKeys {
  readonly Label: string;
  readonly ProgramArguments: readonly string[];
  readonly RunAtLoad?: boolean;
  readonly KeepAlive?: boolean | { readonly SuccessfulExit?: boolean; readonly Crashed?: boolean };
  readonly ThrottleInterval?: number;
  readonly ExitTimeOut?: number;
  readonly AbandonProcessGroup?: boolean;
  readonly EnvironmentVariables?: Readonly<Record<string, string>>;
  readonly WorkingDirectory?: string;
  readonly Umask?: number;
  readonly StandardOutPath?: string;
  readonly StandardErrorPath?: string;
}

export interface JobTimes {
  /** How long a second of ThrottleInterval lasts here, in ms. */
  readonly throttleSecondMs: number;
  /** The same of ExitTimeOut. */
  readonly exitSecondMs: number;
}

const crashes = ['SIGILL', 'SIGABRT', 'SIGFPE', 'SIGBUS', 'SIGSEGV', 'SIGSYS', 'SIGTRAP'];

export class Job {
  readonly keys: JobKeys;
  runs = 0;
  lastExit: number | undefined;
  lastSignal: string | undefined;
  #process: ChildProcess | undefined;
  #state: 'not running' | 'running' | 'spawn scheduled' | 'SIGTERMed' = 'not running';
  #timer: NodeJS.Timeout | undefined;
  #begun = 0;
  #leaving: (() => void) | undefined;
  readonly #times: JobTimes;
  readonly #env: Readonly<Record<string, string>>;

  constructor(keys: JobKeys, times: JobTimes, env: Readonly<Record<string, string>>) {
    this.keys = keys;
    this.#times = times;
    this.#env = env;
  }

  get state(): string {
    return this.#state;
  }
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** At load: RunAtLoad, and KeepAlive forms that want it alive without a first exit; SuccessfulExit implies RunAtLoad. */
  loaded(): void {
    const { RunAtLoad, KeepAlive } = this.keys;
    const implied =
      typeof KeepAlive === 'object' ? KeepAlive.SuccessfulExit !== undefined : KeepAlive;
    if (RunAtLoad === true || implied === true) this.start();
  }

  start(): void {
    if (this.#process !== undefined) return;
    clearTimeout(this.#timer);
    this.runs++;
    this.#begun = performance.now();
    const outputs = this.#openOutputs();
    // launchd opens these before exec; where it cannot, nothing is run.
    if (outputs === undefined) return this.#ended(78, null);
    const [program = '', ...argv] = this.keys.ProgramArguments;
    const umask = process.umask(this.keys.Umask ?? 0o22);
    const child = spawn(program, argv, {
      cwd: this.keys.WorkingDirectory ?? '/',
      // No shell profile, no PATH of a terminal.
      env: {
        PATH: '/usr/bin:/bin:/usr/sbin:/sbin',
        ...this.#env,
        XPC_SERVICE_NAME: this.keys.Label,
        ...this.keys.EnvironmentVariables,
      },
      stdio: ['ignore', ...outputs],
      detached: true,
    });
    process.umask(umask);
    for (const fd of outputs) closeSync(fd);
    this.#process = child;
    this.#state = 'running';
    child.once('error', () => this.#ended(78, null));
    child.once('exit', (code, signal) => this.#ended(code, signal));
  }

  /** SIGTERM to the main process alone; SIGKILL when ExitTimeOut is over. */
  terminate(): void {
    const child = this.#process;
    if (child === undefined) return;
    this.#state = 'SIGTERMed';
    child.kill('SIGTERM');
    clearTimeout(this.#timer);
    const ms = (this.keys.ExitTimeOut ?? 5) * this.#times.exitSecondMs;
    this.#timer = setTimeout(() => child.kill('SIGKILL'), ms);
  }

  kill(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Ends it for good; calls back when it is gone. */
  leave(gone: () => void): void {
    this.#leaving = gone;
    if (this.#process !== undefined) return this.terminate();
    clearTimeout(this.#timer);
    gone();
  }

  #openOutputs(): [number, number] | undefined {
    const open = (path = '/dev/null') => openSync(path, 'a', 0o600);
    try {
      return [open(this.keys.StandardOutPath), open(this.keys.StandardErrorPath)];
    } catch {
      return undefined;
    }
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): void {
    const pid = this.#process?.pid;
    this.#process = undefined;
    clearTimeout(this.#timer);
    this.#state = 'not running';
    this.lastExit = code ?? undefined;
    this.lastSignal = signal ?? undefined;
    // core.c, job_reap: what is left of its process group is told to end.
    if (pid !== undefined && this.keys.AbandonProcessGroup !== true)
      try {
        process.kill(-pid, 'SIGTERM');
      } catch {
        // Nobody is left.
      }
    if (this.#leaving !== undefined) return this.#leaving();
    if (this.#isKept(code, signal)) this.#schedule();
  }

  /** core.c, job_keepalive: death by a signal is no success. */
  #isKept(code: number | null, signal: NodeJS.Signals | null): boolean {
    const { KeepAlive } = this.keys;
    if (typeof KeepAlive !== 'object') return KeepAlive === true;
    const { SuccessfulExit, Crashed } = KeepAlive;
    const crashed = signal !== null && crashes.includes(signal);
    return (
      (SuccessfulExit !== undefined && SuccessfulExit === (code === 0)) ||
      (Crashed !== undefined && Crashed === crashed)
    );
  }

  /** The interval is a least running time: who lived longer comes back at once. */
  #schedule(): void {
    this.#state = 'spawn scheduled';
    const least = (this.keys.ThrottleInterval ?? 10) * this.#times.throttleSecondMs;
    const lived = performance.now() - this.#begun;
    this.#timer = setTimeout(() => this.start(), Math.max(0, least - lived));
  }
}
