/** The status record: what is true, written whole at each change by the daemon and read back by anybody. */
import type { Change } from '../../config/config-changes.ts';
import type { Config } from '../../config/config.ts';
import type { Layout } from '../../config/layout.ts';
import type { Problem } from '../../domain/problem.ts';
import type { SettingName, settings } from '../../config/settings.ts';
import type { Complaint } from '../../guest/console/complaints.ts';
import { errorCode, Exit, Failed, type Failure } from '../../system/failure.ts';
import { readIfThere } from '../../system/files/files.ts';
import { isAlive, type Identity } from '../../system/process/process.ts';
import type { DiskRecord } from '../disk/disk-record.ts';
import type { DoorStatus } from './door-status.ts';
import type { Login } from '../health/login.ts';
import type { Phase, Rest, Saved } from '../lifecycle/state.ts';

/** One thing that was seen during a start: a stage of the guest, or a step of ours. */
export interface Seen {
  readonly name: string;
  /** Milliseconds after the start began. */
  readonly ms: number;
  /** The guest's own uptime in seconds, for its stages. */
  readonly uptimeS?: number;
}

/** What the supervisor knows beyond the state; every field is of the current start, or absent. */
export interface Facts {
  readonly vmPid?: number;
  /** The network program of this start, where there is one. */
  readonly network?: string;
  readonly networkPid?: number;
  /** What it said last that others have reported: the cause, and what helps. */
  readonly networkTrouble?: string;
  readonly accelerator?: string;
  /** Which program runs the guest, and why that one. */
  readonly vmChoice?: { readonly vm: string; readonly why: string };
  /** One sentence for each accelerator, or network program, that was tried and does not work. */
  readonly rejected?: readonly string[];
  /** What it boots; `instead` of a newer one that did not get ready. */
  readonly image?: {
    readonly prefix: string;
    readonly instead?: { readonly at: string; readonly message: string };
    /** It is below its floors: its version, where it has one, and why. */
    readonly old?: { readonly version?: string; readonly why: string };
  };
  readonly tunnelPort?: number;
  readonly timeline?: readonly Seen[];
  readonly clockOffsetMs?: number;
  /** Nix is told that the builder builds these, and the guest ran no program of theirs. */
  readonly lostSystems?: readonly string[];
  /** The guest's Nix, as it says itself. */
  readonly nixVersion?: string;
  /** A guest has had the disk whose Nix let builds become root: since when, and which where that is known. */
  readonly diskExposed?: DiskRecord['exposed'];
  /** `slow`: the guest lives, but its agent does not answer in time. */
  readonly health?: 'well' | 'slow' | 'frozen';
  /** What a login found that was tried since the agent is silent. */
  readonly login?: Login;
  /** The last things that the guest's kernel said were wrong while it lived on. */
  readonly complaints?: readonly {
    readonly what: Complaint;
    readonly text: string;
    /** ISO 8601. */
    readonly at: string;
  }[];
  /** Why a guest that was suspended has booted instead, in sentences. */
  readonly notResumed?: string;
  /** How long the last sleep of this machine, or of the daemon, was. */
  readonly sleptMs?: number;
}

/** The settings that the guest has, as far as `status` tells them. */
export type BuilderFacts = Omit<Pick<Config, Shown>, 'extraSystems'> &
  Partial<Pick<Config, 'extraSystems'>>;
type Shown = {
  [Name in SettingName]: (typeof settings)[Name] extends { readonly isShown: true } ? Name : never;
}[SettingName];

export interface Status extends Facts {
  readonly version: 1;
  readonly phase: Phase;
  /** Wall time, ISO 8601. */
  readonly since: string;
  /** The phase in a sentence, with the reason where there is one. */
  readonly sentence: string;
  readonly attempt?: number;
  readonly because?: Failure;
  /** The last failure before the current start. */
  readonly last?: Failure;
  /** The guest is away, and why. */
  readonly away?: {
    readonly guest: 'stopped' | 'suspended';
    readonly why: Rest['type'];
    /** When it was suspended, and what it takes on the host's disk. */
    readonly saved?: Saved;
  };
  /** When the next attempt is due, ISO 8601. */
  readonly until?: string;
  readonly daemon: Identity;
  /** Version of the program that the daemon runs, which an upgrade does not change. */
  readonly release?: string | undefined;
  readonly door?: DoorStatus;
  /** What the guest was started with; before a start, what it will be. */
  readonly builder?: BuilderFacts;
  /** Settings that have been changed since: a restart takes them. */
  readonly pending?: readonly Change[];
  /** What is wrong in config.json now; the daemon goes on with what it had. */
  readonly problems?: readonly Problem[];
}

/** What a reader finds: a living daemon's status, the last words of a dead one, or nothing. */
export type Found =
  | {
      readonly daemon: 'alive';
      readonly status: Status;
      /** The daemon itself has just said it; else it is what it wrote last. */
      readonly heard: boolean;
    }
  | { readonly daemon: 'gone'; readonly last: Status | undefined };

/** What the file says; `findStatus` asks the daemon first. Failed `status-unreadable`. */
export function readStatus(layout: Layout): Found {
  const status = parse(textOf(layout.status));
  return status !== undefined && isAlive(status.daemon)
    ? { daemon: 'alive', status, heard: false }
    : { daemon: 'gone', last: status };
}

/** What is there and cannot be read is a failure, with words: to say that no daemon runs might be wrong. */
function textOf(path: string): string | undefined {
  try {
    return readIfThere(path);
  } catch (error) {
    throw new Failed(unreadable(path, errorCode(error) ?? String(error)), { cause: error });
  }
}

const unreadable = (path: string, why: string): Failure => ({
  kind: 'status-unreadable',
  message: `${path} cannot be read (${why}).`,
  hint: ['EACCES', 'EPERM'].includes(why)
    ? 'No daemon answers, and what it wrote last only the user who runs it may read. Ask as that user, or as root; or start the daemon.'
    : 'It must be a file of the user who runs the daemon; what is there may be removed, the daemon writes it anew.',
  exit: Exit.noPermission,
});

function parse(text: string | undefined): Status | undefined {
  try {
    return parseStatus(JSON.parse(text ?? 'null'));
  } catch {
    return undefined;
  }
}

/** A record as a daemon writes or says it; undefined for anything else. */
export function parseStatus(json: unknown): Status | undefined {
  const status = json as Partial<Status> | null;
  return status?.version === 1 &&
    typeof status.phase === 'string' &&
    typeof status.daemon?.pid === 'number'
    ? (status as Status)
    : undefined;
}
