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

/**
 * Asks a running daemon; its answer's fields, of which one of another version may leave some out. Failed `daemon-not-running` when nobody listens, `daemon-silent` when somebody
 * does and says nothing in time or hangs up, `daemon-refused` when the answer is a refusal.
 */
export async function ask<C extends Command>(
  layout: Layout,
  command: C,
  clock: Clock,
  signal?: AbortSignal,
  { timeoutMs = usualMs, ...more }: Partial<typeof forced> & { timeoutMs?: number } = {},
): Promise<Partial<Answers[C]>> {
  const { fields, socket } = await exchange(layout, { command, ...more }, clock, signal, timeoutMs);
  socket.destroy();
  // One cast: what our own daemon answers is what its command gives.
  return fields;
}

/** The same, and stays connected: a hold on the door that lasts as long as this process, or until it is let go. */
export async function holdDoor(
  layout: Layout,
  clock: Clock,
  signal?: AbortSignal,
): Promise<Partial<Counts> & Disposable> {
  const request = { command: 'drain', ...untilGone } as const;
  const { fields, socket } = await exchange(layout, request, clock, signal);
  // The end of this process is not to wait for it.
  socket.unref();
  return { ...(fields as Partial<Counts>), [Symbol.dispose]: () => socket.destroy() };
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

/** One question and its answer; the connection stays. */
async function exchange(
  layout: Layout,
  request: { readonly command: Command },
  clock: Clock,
  signal?: AbortSignal,
  timeoutMs = usualMs,
): Promise<{ readonly fields: object; readonly socket: Socket }> {
  let socket: Socket | undefined;
  const path = socketFor(layout);
  try {
    return await within(
      async (inTime) => {
        const opened = (socket = await dialUnix(path, inTime).catch(() => {
          throw new Failed(noDaemon(layout));
        }));
        const answered = new Promise<unknown>((resolve, reject) => {
          const lines = new JsonLines(opened, {
            onValue: resolve,
            onClosed: () => reject(new Failed(daemonSilent(path))),
          });
          lines.send(request);
        });
        const { ok, error, isForOwner, ...fields } = fieldsOf(await answered);
        if (ok === true) return { fields, socket: opened };
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
