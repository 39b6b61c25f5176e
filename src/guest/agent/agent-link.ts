/** One connection to the guest agent. */
import { randomInt } from 'node:crypto';
import { addAbortListener } from 'node:events';
import { errorCode, Failed } from '../../system/failure.ts';
import { refusal } from '../../system/files/reasons.ts';
import { fieldsOf, JsonLines } from '../../system/socket/json-lines.ts';
import { dialUnix } from '../../system/socket/unix-socket.ts';
import { agentAway, agentRefused, connectionGone } from './agent-failures.ts';

type Reply = Readonly<Record<string, unknown>> | { readonly closed: string };

/** In step with the agent: the next line is the answer to the last request. */
export class AgentLink {
  readonly #lines: JsonLines;
  #onReply: (reply: Reply) => void = () => undefined;
  isOpen = true;

  constructor(socket: ConstructorParameters<typeof JsonLines>[0]) {
    this.#lines = new JsonLines(socket, {
      onValue: (value) => this.#onReply(fieldsOf(value)),
      onClosed: (closed) => {
        this.isOpen = false;
        this.#onReply({ closed });
      },
      // The output of a program comes in one line, in base64; those that we run say some kilobytes.
      maxLineBytes: 1024 * 1024,
    });
  }

  /**
   * Gets in step: a 0xff byte makes the agent forget half a request, and a number that nobody else uses tells its answer
   * from those that were meant for others.
   */
  sync(): Promise<void> {
    const id = randomInt(1, 2 ** 31);
    return new Promise((resolve, reject) => {
      this.#onReply = (reply) => {
        if ('closed' in reply) reject(new Failed(agentAway(String(reply.closed))));
        else if (reply['return'] === id) resolve();
      };
      this.#lines.write(Buffer.of(0xff));
      this.#lines.send({ execute: 'guest-sync-delimited', arguments: { id } });
    });
  }

  ask(request: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#onReply = (reply) => {
        if ('closed' in reply) reject(new Failed(agentAway(String(reply.closed))));
        else if ('error' in reply) reject(new Failed(agentRefused(reply['error'])));
        else if ('return' in reply) resolve(reply['return']);
      };
      if (!this.#lines.send(request)) reject(new Failed(connectionGone()));
    });
  }

  /** Whoever waits for an answer waits no longer. */
  close(): void {
    this.isOpen = false;
    this.#lines.close();
    this.#onReply({ closed: 'it was given up' });
  }
}

/** Connects, and gets in step. Failed `agent-away`. */
export async function openLink(path: string, signal: AbortSignal): Promise<AgentLink> {
  const socket = await dialUnix(path, signal).catch((error: unknown) => {
    if (errorCode(error) === undefined) throw error;
    throw new Failed(agentAway(refusal(error)), { cause: error });
  });
  const link = new AgentLink(socket);
  const listening = addAbortListener(signal, onAbort);
  function onAbort() {
    link.close();
  }
  await link.sync();
  listening[Symbol.dispose]();
  return link;
}
