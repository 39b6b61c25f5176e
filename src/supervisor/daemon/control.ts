/** control.sock: what a signal cannot say. One JSON a line each way; only the owner can connect, and where the directory lets its group pass, that for some. */
import { accessSync, constants } from 'node:fs';
import type { Socket } from 'node:net';
import type { Layout } from '../../config/layout.ts';
import type { Crowd } from '../../door/waiting-room.ts';
import type { Counts } from '../../door/through.ts';
import type { Inside } from '../../guest/agent/inside.ts';
import type { Clock } from '../../system/time/clock.ts';
import { within } from '../../system/time/deadline.ts';
import { Exit, Failed, failureOf, type Failure } from '../../system/failure.ts';
import { fieldsOf, JsonLines } from '../../system/socket/json-lines.ts';
import type { Log } from '../../system/log.ts';
import { quoted } from '../../system/plain-text.ts';
import { dialUnix } from '../../system/socket/unix-socket.ts';
import type { Collected } from '../idle/housekeeping.ts';
import { listenFor, type Caller, type Control } from './control-socket.ts';
import { noDaemon } from './no-daemon.ts';
import type { Status } from '../status/status-schema.ts';

/** Who is in the guest: what a stop waits for. */
export interface Busy {
  /** Connections that have logged in: builds, copies, shells. */
  readonly loggedIn: number;
  /** Builds that run in the guest; undefined where it does not say. */
  readonly builds: number | undefined;
}

/** Each command, and the fields of its answer. What the front door and the guest say is of now. */
export interface Answers {
  /** Lets no new connection in, with {@link untilGone} for as long as whoever asks is connected; how many there are. */
  readonly drain: Counts;
  readonly undrain: Nothing;
  /** Sends new connections off, whatever the guest does; how many there are. */
  readonly refuse: Counts;
  readonly admit: Nothing;
  readonly restart: Nothing;
  /**
   * Whether the guest goes: not while a client waits for it, nor, unless that is {@link forced}, while somebody is in it, or while it does
   * not say whether somebody is, as before its agent has started.
   */
  readonly suspend: {
    readonly goes: boolean;
    readonly inUse?: Busy;
    readonly isSilent?: true;
  };
  readonly resume: { readonly was: 'away' | 'there' };
  /** How the collection of old store paths went; it takes as long as it takes. */
  readonly gc: Collected;
  /** Whether free blocks of the guest's disk went back to the host. */
  readonly trim: { readonly goesBack: boolean };
  readonly door: Counts & { readonly crowd?: Crowd };
  /** No field where the guest does not answer. */
  readonly guest: Partial<Inside>;
  readonly status: Status;
  /** Tells the guest which keys are good now; whether it was told. */
  readonly keys: { readonly told: boolean };
}
type Nothing = Readonly<Record<string, never>>;
/** A word that is sent. */
export type Command = keyof Answers;

/** What goes with a command; a daemon of another version does not know it. */
const untilGone = { until: 'gone' } as const;
/** Beside a command: without waiting for whoever is in the guest. */
export const forced = { force: true } as const;

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
  ...(['door', 'guest', 'status', 'keys'] as const),
] satisfies readonly Command[];

/** What a group that may ask this daemon may not: what deletes in the guest, moves its disk, or tells it whom to let in (SECURITY.md). */
const owners: readonly Command[] = ['gc', 'trim', 'keys'];
const isOwners = (command: Command): boolean => owners.includes(command);
const notYours = 'only the account that runs the daemon may do that';

/** A daemon that is busy answers within this. */
const usualMs = 5_000;

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
      onBroken: (problem) => void lines.send({ ok: false, error: problem }),
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
    return { ok: false, error: `unknown command (the known ones are: ${commands.join(', ')})` };
  if (caller === 'group' && isOwners(known))
    return { ok: false, error: notYours, isForOwner: true };
  // Asked twice a second by whoever waits for the connections to end.
  const isQuestion = ['door', 'guest', 'status'].includes(known);
  log(isQuestion ? 'debug' : 'info', 'asked', { command: known });
  try {
    const asker = { gone: until === untilGone.until ? gone : undefined, isForced: force === true };
    return { ok: true, ...(await todo[known](asker)) };
  } catch (error) {
    const failure = failureOf(error);
    log('error', 'not-answered', { command: known, failure });
    return { ok: false, error: failure.message };
  }
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
  hint: 'It may be very busy, or exiting. See: linuxkit-builder status',
  exit: Exit.temporary,
});

const asOwner = 'Run the command as that account.';

const refusal = 'daemon-refused';
/** Of what {@link ask} throws: it was heard. */
export const isRefusal = (thrown: Failed): boolean => thrown.failure.kind === refusal;

const daemonRefused = (command: string, why: string): Failure => ({
  kind: refusal,
  message: `The daemon refused '${command}': ${why}.`,
  hint: 'It may be a different version. Run: linuxkit-builder restart',
  exit: Exit.unavailable,
});
