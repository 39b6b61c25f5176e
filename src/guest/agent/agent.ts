/** The guest agent: small requests to the guest that need neither network nor login. See QEMU's docs/interop/qemu-ga-ref. */
import type { Clock } from '../../system/time/clock.ts';
import { within } from '../../system/time/deadline.ts';
import { Failed } from '../../system/failure.ts';
import { fieldsOf } from '../../system/socket/json-lines.ts';
import {
  agentNoTime,
  agentSilent,
  connectionGone,
  isRefusal,
  isSilent,
  isUnanswered,
} from './agent-failures.ts';
import { openLink, type AgentLink } from './agent-link.ts';

interface GuestAgentOptions {
  /** The Unix socket of the agent's channel, as the VM program makes it. */
  readonly path: string;
  readonly clock: Clock;
  /** Longest wait for an answer, connecting included. Default 5 s. */
  readonly timeoutMs?: number;
}

interface ExecOptions {
  readonly signal?: AbortSignal;
  /** Default 60 s. */
  readonly timeoutMs?: number;
  /** So many questions in a row whether it has ended may stay without an answer, as in a guest that is busy. Default 0. */
  readonly silences?: number;
}

/** How a program in the guest ended. */
export interface GuestExec {
  /** Exit code; 128 and the signal's number where it was killed, as a shell says it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * The agent of one guest. It connects at the first request, keeps the connection, and begins anew after any trouble; the
 * channel serves one client at a time, so there should be one of these a boot. Requests are made one after the other.
 */
export class GuestAgent {
  readonly #options: GuestAgentOptions;
  #link: AgentLink | undefined;
  readonly #over = new AbortController();
  #idle: Promise<unknown> = Promise.resolve();

  constructor(options: GuestAgentOptions) {
    this.#options = options;
  }

  /** True when the agent answers. Rejects only when the signal aborts. */
  async ping(signal?: AbortSignal): Promise<boolean> {
    try {
      await this.#request('guest-ping', {}, signal);
      return true;
    } catch (error) {
      if (error instanceof Failed && signal?.aborted !== true) return false;
      throw error;
    }
  }

  /** The guest's wall time in ms since 1970. */
  async time(signal?: AbortSignal): Promise<number> {
    const ns = await this.#request('guest-get-time', {}, signal);
    if (typeof ns !== 'number' || !Number.isFinite(ns)) throw new Failed(agentNoTime());
    return ns / 1e6;
  }

  /** Sets the guest's clock, by default to the host's. */
  async setTime(ms?: number, signal?: AbortSignal): Promise<void> {
    const args = () => ({ time: Math.round(ms ?? this.#options.clock.now()) * 1e6 });
    await this.#request('guest-set-time', args, signal);
  }

  /** Asks the guest to power off, and returns when it did not refuse: it gives no answer when it obeys. */
  async shutdown(signal?: AbortSignal): Promise<void> {
    await this.#request('guest-ping', {}, signal);
    const refusalMs = 1_000;
    try {
      await this.#request('guest-shutdown', { mode: 'powerdown' }, signal, refusalMs);
    } catch (error) {
      // What a guest that shuts down looks like: nothing, or the channel's end.
      if (!isUnanswered(error)) throw error;
    }
  }

  /** Runs a program in the guest as root, to its end. */
  async exec(
    path: string,
    args: readonly string[],
    { signal, timeoutMs = 60_000, silences = 0 }: ExecOptions = {},
  ): Promise<GuestExec> {
    const { clock } = this.#options;
    const late = () => agentSilent(path, timeoutMs);
    const run = { path, arg: args, 'capture-output': true };
    return within(
      async (inTime) => {
        const { pid } = fieldsOf(await this.#request('guest-exec', run, inTime));
        let left = silences;
        for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 1000)) {
          const status = await this.#execStatus(pid, inTime, left > 0);
          if (status?.['exited'] === true) return ended(status);
          left = status === undefined ? left - 1 : silences;
          await clock.sleep(pauseMs, inTime);
        }
      },
      { clock, timeoutMs, signal, late },
    );
  }

  /** Undefined where a guest that may be silent is. */
  async #execStatus(pid: unknown, signal: AbortSignal, mayBeSilent: boolean) {
    try {
      return fieldsOf(await this.#request('guest-exec-status', { pid }, signal));
    } catch (error) {
      if (!mayBeSilent || !isSilent(error)) throw error;
      return undefined;
    }
  }

  /** Its guest is gone: what is still asked rejects, and would otherwise reach the next guest, whose socket has the same name. */
  close(): void {
    this.#over.abort(new Failed(connectionGone()));
    this.#drop();
  }

  #drop(): void {
    this.#link?.close();
    this.#link = undefined;
  }

  async #request(
    command: string,
    args: Arguments | (() => Arguments),
    signal: AbortSignal | undefined,
    timeoutMs = this.#options.timeoutMs ?? 5_000,
  ): Promise<unknown> {
    const before = this.#idle;
    let hasBegun = false;
    const late = () => agentSilent(command, timeoutMs);
    const answered = within(
      async (inTime) => {
        await before;
        inTime.throwIfAborted();
        hasBegun = true;
        const link = await this.#openLink(inTime);
        const given = typeof args === 'function' ? args() : args;
        return link.ask({ execute: command, arguments: given });
      },
      { clock: this.#options.clock, timeoutMs, signal, late },
    );
    const over = answered.catch((error: unknown) => {
      // A refusal is an answer; after anything else nobody knows what the next line would belong to. Who never had its turn said nothing.
      if (hasBegun && !isRefusal(error)) this.#drop();
    });
    // Without values: a chain of results would grow for ever.
    this.#idle = Promise.all([before, over]).then(() => undefined);
    return answered;
  }

  async #openLink(inTime: AbortSignal): Promise<AgentLink> {
    this.#over.signal.throwIfAborted();
    if (this.#link?.isOpen === true) return this.#link;
    const signal = AbortSignal.any([inTime, this.#over.signal]);
    return (this.#link = await openLink(this.#options.path, signal));
  }
}

type Arguments = Readonly<Record<string, unknown>>;

function ended(status: Readonly<Record<string, unknown>>): GuestExec {
  const text = (field: string) => {
    const data = status[field];
    return typeof data === 'string' ? Buffer.from(data, 'base64').toString() : '';
  };
  const { exitcode, signal } = status;
  const code =
    typeof exitcode === 'number' ? exitcode : 128 + (typeof signal === 'number' ? signal : 0);
  return { code, stdout: text('out-data'), stderr: text('err-data') };
}
