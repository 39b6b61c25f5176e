/** control.sock: what a signal cannot say. One JSON a line each way; only the owner can connect, and where the directory lets its group pass, that for some. */
import type { Socket } from 'node:net';
import type { Layout } from '../../config/layout.ts';
import { failureOf } from '../../system/failure.ts';
import { fieldsOf, JsonLines } from '../../system/socket/json-lines.ts';
import type { Log } from '../../system/log.ts';
import { untilGone, type Answers, type Command } from './control-protocol.ts';
import { listenFor, type Caller, type Control } from './control-socket.ts';

/** Whoever asks. */
export interface Asker {
  /** His connection must stay for what he asks, as with {@link untilGone}: aborts when it is over. */
  readonly gone: AbortSignal | undefined;
  readonly isForced: boolean;
}

/** What each command does; its answer is sent back as fields. */
export type Commands = {
  readonly [C in Command]: (asker: Asker) => Answers[C] | Promise<Answers[C]>;
};

/** In the order in which a refusal names them. */
const commands = [
  ...(['drain', 'undrain', 'refuse', 'admit', 'restart', 'suspend', 'resume'] as const),
  ...(['gc', 'trim'] as const),
  ...(['door', 'guest', 'status', 'keys', 'question'] as const),
] satisfies readonly Command[];

/** What a group that may ask this daemon may not: what deletes in the guest, moves its disk, or tells it whom to let in (SECURITY.md). */
const owners: readonly Command[] = ['gc', 'trim', 'keys'];
const isOwners = (command: Command): boolean => owners.includes(command);
const notYours = 'only the account that runs the daemon may do that';

/** Listens until closed. Unknown or broken requests get an answer that says what is known. Failed `cannot-write` without its socket. */
export async function openControl(layout: Layout, todo: Commands, log: Log): Promise<Control> {
  const connections = new Set<Socket>();
  const onConnection = (socket: Socket, caller: Caller) => {
    const gone = new AbortController();
    connections.add(socket);
    socket.once('close', () => {
      connections.delete(socket);
      gone.abort(new Error('the client is gone'));
    });
    const lines: JsonLines = new JsonLines(socket, {
      onValue: (value) => {
        const answered = answer(value, { gone: gone.signal, caller, todo, log });
        void answered.then((fields) => lines.send(fields));
      },
      onBroken: (problem) => void lines.send(refusal(problem)),
      maxLineBytes: 4096,
    });
  };
  const listening = await listenFor(layout, onConnection, log);
  return {
    ...listening,
    close: () => {
      listening.close();
      for (const socket of connections) socket.destroy();
    },
  };
}

async function answer(
  value: unknown,
  {
    gone,
    caller,
    todo,
    log,
  }: { readonly gone: AbortSignal; readonly caller: Caller; todo: Commands; log: Log },
): Promise<object> {
  const { command, until, force } = fieldsOf(value);
  const known = commands.find((name) => name === command);
  if (known === undefined)
    return refusal(`unknown command (the known ones are: ${commands.join(', ')})`);
  if (caller === 'group' && isOwners(known)) return { ...refusal(notYours), isForOwner: true };
  // Asked twice a second by whoever waits for the connections to end.
  const isQuestion = ['door', 'guest', 'status'].includes(known);
  log(isQuestion ? 'debug' : 'info', 'asked', { command: known });
  try {
    const asker = { gone: until === untilGone.until ? gone : undefined, isForced: force === true };
    return { ok: true, ...(await todo[known](asker)) };
  } catch (error) {
    const failure = failureOf(error);
    log('error', 'not-answered', { command: known, failure });
    return refusal(failure.message);
  }
}

const refusal = (error: string) => ({ ok: false, error });
