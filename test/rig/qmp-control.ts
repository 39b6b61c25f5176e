/** QEMU's control channel, for the stand-ins. */
import type { Duplex } from 'node:stream';

/** QMP, as much of it as is needed: one request at a time. */
export class Control {
  readonly #stream: Duplex;
  readonly #waiting: ((value: string) => void)[] = [];
  #text = '';
  readonly #onEvent: (event: string) => void;
  /** What the guest did at its end, as QEMU's event SHUTDOWN has it. */
  end: 'powered-off' | 'reset' | undefined;
  /** QEMU's end of it is closed, and all that it said was read; whatever is asked for from here on has an empty answer. */
  readonly closed: Promise<void>;
  #isClosed = false;

  constructor(stream: Duplex, onEvent: (event: string) => void = () => undefined) {
    this.#stream = stream;
    this.#onEvent = onEvent;
    stream.on('data', (chunk: Buffer) => this.#take(chunk.toString('utf8')));
    stream.on('error', () => undefined);
    this.closed = new Promise((resolve) =>
      stream.once('close', () => {
        this.#isClosed = true;
        for (const settle of this.#waiting.splice(0)) settle('');
        resolve();
      }),
    );
    void this.ask('qmp_capabilities', {});
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  ask(execute: string, args: Readonly<Record<string, unknown>>): Promise<string> {
    if (this.#isClosed) return Promise.resolve('');
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#stream.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    });
  }

  #take(text: string): void {
    const lines = (this.#text + text).split('\n');
    this.#text = lines.pop() ?? '';
    for (const line of lines.filter((each) => each.trim() !== '')) {
      const message = JSON.parse(line) as {
        return?: unknown;
        error?: unknown;
        event?: string;
        data?: { reason?: string };
      };
      if (message.event === 'SHUTDOWN')
        this.end = message.data?.reason === 'guest-reset' ? 'reset' : 'powered-off';
      if (message.event !== undefined) this.#onEvent(message.event);
      if ('return' in message || 'error' in message)
        this.#waiting.shift()?.(typeof message.return === 'string' ? message.return : '');
    }
  }
}
