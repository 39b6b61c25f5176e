/** QEMU's machine protocol: commands to a running VM, and what it says by itself. See QEMU's docs/interop/qmp-spec. */
import type { Socket } from 'node:net';
import type { Clock } from '../../system/time/clock.ts';
import { within } from '../../system/time/deadline.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { fieldsOf, JsonLines } from '../../system/socket/json-lines.ts';
import { quoted } from '../../system/plain-text.ts';
import { awaitUnix } from '../../system/socket/unix-socket.ts';
import { eventOf, type QmpEvent } from './qmp-events.ts';
import { advice, asSentence, ours } from '../../system/advice.ts';

interface QmpOptions {
  readonly path: string;
  readonly clock: Clock;
  /** Ends the waiting for the socket and its greeting. */
  readonly signal: AbortSignal;
  readonly onEvent?: (event: QmpEvent) => void;
  /** The connection ended, and not by close(): QEMU is gone or going. */
  readonly onClosed?: (why: string) => void;
  /** Longest wait for a greeting or an answer. Default 10 s. */
  readonly timeoutMs?: number;
}

/** Waits for the socket to appear, then for QEMU's greeting; commands are possible when it resolves. */
export async function connectQmp(options: QmpOptions): Promise<Qmp> {
  const { path, clock, signal } = options;
  const socket = await awaitUnix(path, clock, signal);
  const qmp = new Qmp(socket, options);
  try {
    await qmp.greet(signal);
    return qmp;
  } catch (error) {
    qmp.close();
    throw error;
  }
}

type Answer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly failure: Failure };

/** A connection to a running QEMU. Only one is served at a time. */
export class Qmp {
  readonly #options: QmpOptions;
  readonly #lines: JsonLines;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #nextId = 1;
  #closed: Failure | undefined;

  constructor(socket: Socket, options: QmpOptions) {
    this.#options = options;
    this.#lines = new JsonLines(socket, {
      onValue: (value) => this.#take(fieldsOf(value)),
      onClosed: (why) => this.#end(why),
      // The registers of 512 CPUs, which are the most that a guest has, are 2 MiB of text.
      maxLineBytes: 4 * 1024 * 1024,
    });
  }

  /** Runs a command and gives its result. Failed `qmp-refused` when QEMU says no, `qmp-silent`, `qmp-closed`. */
  async execute(
    command: string,
    args?: Readonly<Record<string, unknown>>,
    signal?: AbortSignal,
  ): Promise<unknown> {
    const id = this.#nextId++;
    const answer = this.#expect(id, command, signal);
    this.#lines.send({ execute: command, ...(args === undefined ? {} : { arguments: args }), id });
    return answer;
  }

  /** A line for QEMU's human monitor, for what has no command of its own; gives its text. */
  async hmp(line: string): Promise<string> {
    const text = await this.execute('human-monitor-command', { 'command-line': line });
    return typeof text === 'string' ? text : '';
  }

  close(): void {
    this.#lines.close();
    this.#end(undefined);
  }

  /** The opening of the protocol: their greeting, then our wish for commands. */
  async greet(signal: AbortSignal): Promise<void> {
    await this.#expect(greeting, 'greeting', signal);
    await this.execute('qmp_capabilities', undefined, signal);
  }

  async #expect(id: number, command: string, signal?: AbortSignal): Promise<unknown> {
    const timeoutMs = this.#options.timeoutMs ?? 10_000;
    const late = () => qmpSilent(command, timeoutMs);
    const answered = () =>
      new Promise<Answer>((resolve) =>
        this.#closed === undefined
          ? this.#waiting.set(id, resolve)
          : resolve({ ok: false, failure: this.#closed }),
      );
    try {
      const answer = await within(answered, {
        clock: this.#options.clock,
        timeoutMs,
        signal,
        late,
      });
      if (!answer.ok) throw new Failed(answer.failure);
      return answer.value;
    } finally {
      this.#waiting.delete(id);
    }
  }

  #take(message: Readonly<Record<string, unknown>>): void {
    if (typeof message['event'] === 'string') {
      this.#options.onEvent?.(eventOf(message['event'], fieldsOf(message['data'])));
      return;
    }
    const id = 'QMP' in message ? greeting : message['id'];
    const settle = typeof id === 'number' ? this.#waiting.get(id) : undefined;
    if (settle === undefined) return;
    if ('error' in message) settle({ ok: false, failure: qmpRefused(message['error']) });
    else settle({ ok: true, value: message['return'] });
  }

  #end(why: string | undefined): void {
    if (this.#closed !== undefined) return;
    this.#closed = qmpClosed(why);
    for (const settle of this.#waiting.values()) settle({ ok: false, failure: this.#closed });
    this.#waiting.clear();
    if (why !== undefined) this.#options.onClosed?.(why);
  }
}

/** The greeting is awaited like an answer, with an id that no command has. */
const greeting = 0;

/** From the text of `info usernet`: the host port that leads to the guest's port, which QEMU chose when it was given 0. */
export function parseUsernet(text: string, guestPort = 22): { readonly port: number } | undefined {
  for (const line of text.split(/\r?\n/)) {
    // TCP[HOST_FORWARD]  12  127.0.0.1 35891  10.0.2.15    22     0     0
    const [protocol, , , port, , guest] = line.trim().split(/\s+/);
    if (protocol === 'TCP[HOST_FORWARD]' && Number(guest) === guestPort && Number(port) > 0)
      return { port: Number(port) };
  }
  return undefined;
}

/** `error`: the value of that name in QEMU's answer. */
export const qmpRefused = (error: unknown): Failure => ({
  kind: 'qmp-refused',
  message: `QEMU refused a command: ${asSentence(quoted(fieldsOf(error)['desc']) ?? 'no reason given')}`,
  hint: 'This QEMU may be too old: 7.2 and newer are known to work.',
  exit: Exit.unavailable,
});

export const qmpSilent = (command: string, timeoutMs: number): Failure => ({
  kind: 'qmp-silent',
  message: `QEMU did not answer ${command} within ${timeoutMs / 1000} s.`,
  hint: advice`Its process is stopped (SIGSTOP) or has stopped responding, or another program uses its control socket. Run: ${ours('restart')}`,
  exit: Exit.unavailable,
  unanswered: true,
});

/** `why`: half a sentence; by us where absent. */
export const qmpClosed = (why = 'linuxkit-builder closed it'): Failure => ({
  kind: 'qmp-closed',
  message: `The connection to QEMU is closed: ${why}.`,
  hint: advice`See its output: ${ours('logs')}`,
  exit: Exit.unavailable,
});
