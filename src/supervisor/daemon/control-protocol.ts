/** What is said over control.sock: the commands, and the fields of their answers. */
import type { Crowd } from '../../door/waiting-room.ts';
import type { Counts } from '../../door/through.ts';
import type { Inside } from '../../guest/agent/inside.ts';
import type { Collected } from '../idle/housekeeping.ts';
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
  /** Lets go of what was drained without {@link untilGone}, as clients of earlier releases do. */
  readonly undrain: Nothing;
  /** Sends new connections off, whatever the guest does; how many there are. */
  readonly refuse: Counts;
  readonly admit: Nothing;
  readonly restart: Nothing;
  /**
   * Whether the guest goes: not while a client waits for it, nor, unless that is {@link forced}, while somebody is in it, or while it does
   * not say whether somebody is, as before its agent has started. Nor while it comes back from its file, which is then used up.
   */
  readonly suspend: {
    readonly goes: boolean;
    readonly inUse?: Busy;
    readonly isSilent?: true;
    readonly isComing?: true;
    /** Somebody waits for a `gc` or `trim`. */
    readonly isHousekeeping?: true;
  };
  readonly resume: { readonly was: 'away' | 'there' };
  /** How the collection of old store paths went; it takes as long as it takes. */
  readonly gc: Collected;
  /** Whether free blocks of the guest's disk went back to the host. */
  readonly trim: { readonly goesBack: boolean };
  /** With {@link untilGone}: for as long as whoever asks is connected, one login is a question of ours, which is no use of the guest. */
  readonly question: Nothing;
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

/** What goes with a command of whoever holds the door, for as long as he is connected; a daemon of another version does not know it. */
export const untilGone = { until: 'gone' } as const;
/** Beside a command: without waiting for whoever is in the guest. */
export const forced = { force: true } as const;
