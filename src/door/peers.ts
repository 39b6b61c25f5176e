/** Whose connections those are that come to a port of this host, where the system tells (Linux). */
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { errorCode } from '../system/failure.ts';
import type { Clock } from '../system/time/clock.ts';
import type { User } from './queue.ts';

/**
 * Users of the connections to a port of 127.0.0.1, by where each comes from ({@link peerOf}); from the text of /proc/net/tcp and tcp6
 * (proc(5)): a client with an IPv6 socket that comes to ::ffff:127.0.0.1 stands in the latter alone.
 * A row of the other end names its process's user; one that is closed there already has none, and says 0.
 */
export function usersIn(table: string, port: number): Map<string, number> {
  const established = '01';
  const to = endpoint('127.0.0.1', port);
  const users = new Map<string, number>();
  for (const row of table.split('\n')) {
    const [, local = '', remote = '', state, , , , uid] = row.trim().split(/\s+/);
    if (asIPv4(remote) === to && state === established) users.set(asIPv4(local), Number(uid));
  }
  return users;
}

/**
 * Where a connection comes from, as {@link usersIn} has it. The address counts as well as the port: anybody can come from another one of
 * 127.0.0.0/8, by the port that somebody else has on 127.0.0.1.
 */
export const peerOf = ({
  remoteAddress = '',
  remotePort = 0,
}: Pick<Socket, 'remoteAddress' | 'remotePort'>): string => endpoint(remoteAddress, remotePort);

/** The same for this host now; undefined where it does not tell. */
export function usersOf(port: number): ReadonlyMap<string, number> | undefined {
  // The numbers in it are the machine's own words: as written above where it is little-endian, as all that we run on are.
  const table = process.platform === 'linux' ? tableIn('/proc/net/tcp') : undefined;
  if (table === undefined) return undefined;
  // None where the kernel has no IPv6.
  return usersIn(table + (tableIn('/proc/net/tcp6') ?? ''), port);
}

/** However long it is: 131,072 connections that have ended are 20 MB. */
export function tableIn(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return undefined;
  }
}

interface LookupOptions {
  readonly clock: Clock;
  /** By where a connection comes from ({@link peerOf}); undefined where the system does not tell. */
  readonly users: () => ReadonlyMap<string, number> | undefined;
  /** It may be asked again, which somebody was refused before. */
  readonly onChange: () => void;
}

/** Asks the system whose connections those are, with rests that leave the daemon time for everything else. */
export class UserLookup {
  readonly #options: LookupOptions;
  /** When they were last known, and how long that has to do. */
  #askedUntil = -Infinity;
  #restMs = 0;
  #cancelAgain: (() => void) | undefined;

  constructor(options: LookupOptions) {
    this.#options = options;
  }

  /** `later`: they have been asked for a moment ago, and `onChange` says when they can be again; one who presses waits for less. */
  users(
    connections: number,
    isPressing: boolean,
  ): ReadonlyMap<string, number> | undefined | 'later' {
    const { clock, users, onChange } = this.#options;
    const begun = clock.monotonic();
    const restMs = this.#askedUntil + this.#restMs / (isPressing ? restsFor : 1) - begun;
    if (restMs > 0 && (connections > cheap || this.#restMs > askAgainMs)) {
      // Nobody else may come meanwhile, with whom those that wait would be asked about.
      this.#cancelAgain ??= clock.after(restMs, () => {
        this.#cancelAgain = undefined;
        onChange();
      });
      return 'later';
    }
    const found = users();
    this.#askedUntil = clock.monotonic();
    this.#restMs = Math.max(askAgainMs, restsFor * (this.#askedUntil - begun));
    return found;
  }

  /** Nobody waits for an answer any more. */
  cancel(): void {
    this.#cancelAgain?.();
    this.#cancelAgain = undefined;
  }
}

/** The system's table is read in a fraction of a millisecond while it has so few rows. */
const cheap = 64;
/** In a crowd it is asked at most so often whose connections these are. */
const askAgainMs = 100;
/** And rests so many times as long as it took: anybody on this machine can make the table long, and nothing else goes on while it is read. */
const restsFor = 10;

/** Who can read the keys, and so log in: whoever runs the daemon, and root. */
export const keyHolders: ReadonlySet<User> = new Set([process.getuid?.() ?? 0, 0]);

/** Those of one user. */
interface Peers {
  readonly uid: number;
  readonly connections: number;
}

/** The user with most of these connections, other than `mine`; root counts as mine. */
export function mostOf(
  users: ReadonlyMap<string, number>,
  mine: number | undefined,
): Peers | undefined {
  const counts = new Map<number, number>();
  for (const uid of users.values())
    if (uid !== mine && uid !== 0) counts.set(uid, (counts.get(uid) ?? 0) + 1);
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  return most && { uid: most[0], connections: most[1] };
}

/** One that stands for an IPv4 address (RFC 4291, 2.5.5.2), as that. */
const asIPv4 = (end: string): string => end.replace(/^0{16}FFFF0000/, '');

/** As the table writes it: the address's bytes from the last to the first, then the port. */
const endpoint = (address: string, port: number): string =>
  `${address.split('.').toReversed().map(hex(2)).join('')}:${hex(4)(port)}`;

const hex =
  (digits: number) =>
  (number: number | string): string =>
    Number(number).toString(16).toUpperCase().padStart(digits, '0');
