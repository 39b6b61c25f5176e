/** Files that somebody else keeps: read without believing that they are files, that they end, or that we may read them. */
import { closeSync, constants, fstatSync, openSync, readSync, statSync, type Stats } from 'node:fs';
import { errorCode } from '../failure.ts';
import { refusal } from './reasons.ts';

/** Settings are small; what is larger is something else. */
const mostBytes = 16 * 1024 * 1024;

const everRead = new Set<string>();

/** Where this process has read words of others: whoever is to keep them to himself reads them there. */
export const othersRead = (): readonly string[] => [...everRead];

/** One look at files of others, which remembers what it could not read. */
export class OthersFiles {
  /** From the path to the reason, in words. */
  readonly unread = new Map<string, string>();

  /** The text of a file; undefined where there is none, or where it cannot be read, which `unread` then tells. `latin1`: a character a byte. */
  readonly read = (path: string, encoding: 'utf8' | 'latin1' = 'utf8'): string | undefined => {
    everRead.add(path);
    const answer = readOrdinary(path, encoding);
    if (answer.kind === 'unreadable') this.unread.set(path, answer.why);
    return answer.kind === 'text' ? answer.text : undefined;
  };
}

type Answer =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'none' }
  | { readonly kind: 'unreadable'; readonly why: string };

function readOrdinary(path: string, encoding: 'utf8' | 'latin1'): Answer {
  try {
    return readRegular(path, encoding);
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'none' };
    return unreadable(refusal(error));
  }
}

/**
 * Opened without waiting: a fifo would keep us, past any signal, until somebody writes into it (fifo(7)); and not at all where it is seen to
 * be a device, since to open one may do something: a watchdog begins to count. Throws the system's error.
 */
export function readRegular(
  path: string,
  encoding: 'utf8' | 'latin1',
): Exclude<Answer, { kind: 'none' }> {
  let fd: number | undefined;
  try {
    if (isStrange(statSync(path))) return unreadable(notRegular);
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(fd);
    if (isStrange(stats)) return unreadable(notRegular);
    const bytes = stats.size > mostBytes ? undefined : readAtMost(fd, stats.size);
    if (bytes === undefined) return unreadable(`it is larger than ${mostBytes >> 20} MiB`);
    return { kind: 'text', text: bytes.toString(encoding) };
  } catch (error) {
    if (strange.has(errorCode(error) ?? '')) return unreadable(notRegular);
    throw error;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Of a directory the system says so itself when it is read. */
const isStrange = (stats: Stats): boolean => !stats.isFile() && !stats.isDirectory();

/** Undefined where there is more, whatever its size says: of what /proc has it says 0, and /proc/self/pagemap has 256 GiB. */
function readAtMost(fd: number, size: number): Buffer | undefined {
  const pieces: Buffer[] = [];
  for (let total = 0; total <= mostBytes;) {
    const piece = Buffer.allocUnsafe(total === 0 && size > 0 ? size : 4096);
    const length = readSync(fd, piece, 0, piece.length, null);
    if (length === 0) return Buffer.concat(pieces);
    pieces.push(piece.subarray(0, length));
    total += length;
  }
  return undefined;
}

const unreadable = (why: string): { readonly kind: 'unreadable'; readonly why: string } => ({
  kind: 'unreadable',
  why,
});

export const notRegular = 'it is not a regular file';
/** What open(2) says of a socket, and of a device without a driver. */
const strange: ReadonlySet<string> = new Set(['ENXIO', 'ENODEV']);
