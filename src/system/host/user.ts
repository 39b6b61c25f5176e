/** Who runs this program, as the system knows it. */
import { userInfo } from 'node:os';
import { isAbsolute } from 'node:path';

interface ThisUser {
  /** The number, where the system knows no name for it: in a container, for instance. */
  readonly name: string;
  readonly uid: number;
  /** In the user database, where ssh looks too; where there is no entry HOME, or / without one. */
  readonly home: string;
  /** There is an entry in the user database. */
  readonly isKnown: boolean;
}

/** Of the effective uid; one that has no entry is named by its number. */
export function thisUser(env: NodeJS.ProcessEnv = process.env): ThisUser {
  try {
    const { username, uid, homedir } = userInfo();
    return { name: username, uid, home: homedir, isKnown: true };
  } catch {
    // No entry: Node knows no other reason (uv_os_get_passwd).
    const uid = process.getuid?.() ?? 0;
    return { name: String(uid), uid, home: namedHome(env) ?? '/', isKnown: false };
  }
}

/** Where this user's files are: as HOME says, where it names a place. */
export const homeOf = (env: NodeJS.ProcessEnv): string => namedHome(env) ?? thisUser(env).home;

const namedHome = ({ HOME }: NodeJS.ProcessEnv): string | undefined =>
  HOME !== undefined && isAbsolute(HOME) ? HOME : undefined;
