/** Whose connections those are that come to a port of this host, where the system tells (Linux). */
import { readIfThere } from '../system/files/files.ts';

/**
 * Users of the connections to a port of 127.0.0.1, by the port that each comes from; from the text of /proc/net/tcp (proc(5)).
 * A row of the other end names its process's user; one that is closed there already has none, and says 0.
 */
export function usersIn(table: string, port: number): Map<number, number> {
  const established = '01';
  const to = `0100007F:${hex(port)}`;
  const users = new Map<number, number>();
  for (const row of table.split('\n')) {
    const [, local = '', remote, state, , , , uid] = row.trim().split(/\s+/);
    if (remote === to && state === established)
      users.set(parseInt(local.slice(local.indexOf(':') + 1), 16), Number(uid));
  }
  return users;
}

/** The same for this host now; undefined where it does not tell. */
export function usersOf(port: number): ReadonlyMap<number, number> | undefined {
  // The numbers in it are the machine's own words: as written above where it is little-endian, as all that we run on are.
  const table = process.platform === 'linux' ? readIfThere('/proc/net/tcp') : undefined;
  return table === undefined ? undefined : usersIn(table, port);
}

/** Those of one user. */
interface Peers {
  readonly uid: number;
  readonly connections: number;
}

/** The user with most of these connections, other than `mine`; root counts as mine. */
export function mostOf(
  users: ReadonlyMap<number, number>,
  mine: number | undefined,
): Peers | undefined {
  const counts = new Map<number, number>();
  for (const uid of users.values())
    if (uid !== mine && uid !== 0) counts.set(uid, (counts.get(uid) ?? 0) + 1);
  const [most] = [...counts].sort(([, a], [, b]) => b - a);
  return most && { uid: most[0], connections: most[1] };
}

const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, '0');
