/** Asking a running daemon over control.sock. */
import { accessSync, constants } from 'node:fs';
import type { Socket } from 'node:net';
import type { Layout } from '../../config/layout.ts';
import type { Counts } from '../../door/through.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { quoted } from '../../system/plain-text.ts';
import { fieldsOf, JsonLines } from '../../system/socket/json-lines.ts';
import { dialUnix } from '../../system/socket/unix-socket.ts';
import type { Clock } from '../../system/time/clock.ts';
import { within } from '../../system/time/deadline.ts';
import { untilGone, type Answers, type Command, type forced } from './control-protocol.ts';
import { noDaemon } from './no-daemon.ts';
import { advice, asSentence, ours } from '../../system/advice.ts';

/** A daemon that is busy answers within this. */
const usualMs = 5_000;

interface AskOptions extends Partial<typeof forced> {
  readonly timeoutMs?: number;
  /** Asked by whoever holds the door, for what he holds it: the daemon knows then whose hold that is, and he lets go of it with the answer. */
  readonly by?: DoorHeld | undefined;
}

/**
 * Asks a running daemon; its answer's fields, of which one of another version may leave some out. Failed `daemon-not-running` when nobody listens, `daemon-silent` when somebody
 * does and says nothing in time or hangs up, `daemon-refused` when the answer is a refusal.
 */
export async function ask<C extends Command>(
  layout: Layout,
  command: C,
  clock: Clock,
  signal?: AbortSignal,
  { timeoutMs, by, ...more }: AskOptions = {},
): Promise<Partial<Answers[C]>> {
  const request = { command, ...more, ...(by && untilGone) };
  const how = { clock, signal, timeoutMs, line: by?.line };
  const { fields, line } = await exchange(layout, request, how);
  line.socket.destroy();
  // One cast: what our own daemon answers is what its command gives.
  return fields;
}

/** A hold on the door, and how many were through when it was taken. */
export interface DoorHeld extends Partial<Counts>, Disposable {
  readonly line: Line;
}

/** The same, and stays connected: a hold on the door that lasts as long as this process, or until it is let go. */
export async function holdDoor(
  layout: Layout,
  clock: Clock,
  signal?: AbortSignal,
): Promise<DoorHeld> {
  const request = { command: 'drain', ...untilGone } as const;
  const { fields, line } = await exchange(layout, request, { clock, signal });
  // The end of this process is not to wait for it.
  line.socket.unref();
  return { ...(fields as Partial<Counts>), line, [Symbol.dispose]: () => line.socket.destroy() };
}

/** Says that one login from now on is only a question, as long as this process, or until that is over. */
export async function holdQuestion(
  layout: Layout,
  clock: Clock,
  signal?: AbortSignal,
): Promise<Disposable> {
  const request = { command: 'question', ...untilGone } as const;
  const { line } = await exchange(layout, request, { clock, signal });
  line.socket.unref();
  return { [Symbol.dispose]: () => line.socket.destroy() };
}

/** The owner's own, whatever is asked: a group may have filled the other. One of an earlier release, or without a group, has one for all. */
function socketFor({ control, ownControl }: Layout): string {
  try {
    accessSync(ownControl, constants.W_OK);
    return ownControl;
  } catch {
    // It is not there, or not for us.
    return control;
  }
}

/** A connection to a daemon, over which one thing is asked after the other. */
interface Line {
  readonly socket: Socket;
  readonly ask: (request: object) => Promise<unknown>;
}

function lineOn(socket: Socket, path: string): Line {
  let take: (answer: unknown) => void = () => undefined;
  let fail: (error: Failed) => void = () => undefined;
  const lines = new JsonLines(socket, {
    onValue: (value) => take(value),
    onClosed: () => fail(new Failed(daemonSilent(path))),
  });
  const ask = (request: object) =>
    new Promise<unknown>((resolve, reject) => {
      [take, fail] = [resolve, reject];
      lines.send(request);
    });
  return { socket, ask };
}

interface ExchangeOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
  /** Used where it is still there. */
  readonly line?: Line | undefined;
}

/** One question and its answer; the connection stays. */
async function exchange(
  layout: Layout,
  request: { readonly command: Command },
  { clock, signal, timeoutMs = usualMs, line: kept }: ExchangeOptions,
): Promise<{ readonly fields: object; readonly line: Line }> {
  let socket: Socket | undefined;
  const path = socketFor(layout);
  const dial = async (inTime: AbortSignal) => {
    const opened = await dialUnix(path, inTime).catch(() => {
      throw new Failed(noDaemon(layout));
    });
    return lineOn(opened, path);
  };
  try {
    return await within(
      async (inTime) => {
        const line = kept?.socket.writable === true ? kept : await dial(inTime);
        socket = line.socket.ref();
        const { ok, error, isForOwner, ...fields } = fieldsOf(await line.ask(request));
        if (ok === true) return { fields, line };
        const refused = daemonRefused(request.command, quoted(error) ?? 'it gave no reason');
        throw new Failed(isForOwner === true ? { ...refused, hint: asOwner } : refused);
      },
      { clock, timeoutMs, signal, late: () => daemonSilent(path) },
    );
  } catch (thrown) {
    socket?.destroy();
    throw thrown;
  }
}

/** `path`: the socket. */
export const daemonSilent = (path: string): Failure => ({
  kind: 'daemon-silent',
  message: `The daemon does not answer on ${path}.`,
  hint: advice`It may be very busy, or exiting. See: ${ours('status')}`,
  exit: Exit.temporary,
});

const asOwner = 'Run the command as that account.';

const refusal = 'daemon-refused';
/** Of what {@link ask} throws: it was heard. */
export const isRefusal = (thrown: Failed): boolean => thrown.failure.kind === refusal;

const daemonRefused = (command: string, why: string): Failure => ({
  kind: refusal,
  message: `The daemon refused '${command}': ${asSentence(why)}`,
  hint: advice`To see what it is doing: ${ours('status')}. If it is of a different version, run: ${ours('restart')}`,
  exit: Exit.unavailable,
});
