/** Whether a place takes a file as large as the guest's disk is to be, found before there is one. */
import { closeSync, fstatSync, ftruncateSync, openSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Exit, errorCode, type Failure } from '../../system/failure.ts';
import { sizeIfThere } from '../../system/files/files.ts';
import { roomAt } from './disk-room.ts';
import { advice, ours } from '../../system/advice.ts';

const GiB = 1024 ** 3;
const MiB = 1024 * 1024;

/** What a place does with large files. */
export interface FilePlace {
  /** What is skipped in a file takes no room there. FAT, exFAT and HFS+ fill it, at once and with zeros. */
  readonly keepsHoles: boolean;
  readonly freeGiB: number;
  /** How long a disk is there already. */
  readonly hasGiB: number;
  /** Whether it takes files of that length; where it keeps no holes only of one that is refused this costs nothing. */
  readonly takes: (sizeGiB: number) => boolean;
}

/** FAT has 32 bits for the length of a file. */
const fatGiB = 4;

/** The largest disk that a place takes, of one of wantedGiB or less; and what hinders a larger one. Pure. */
export function mostGiB(
  { keepsHoles, freeGiB, hasGiB, takes }: FilePlace,
  wantedGiB: number,
): { readonly most: number; readonly by: 'length' | 'room' } {
  if (hasGiB >= wantedGiB) return { most: wantedGiB, by: 'room' };
  if (keepsHoles) return { most: longest(takes, wantedGiB), by: 'length' };
  const withRoom = Math.floor(freeGiB + hasGiB);
  const isShort = wantedGiB >= fatGiB && withRoom >= fatGiB && !takes(fatGiB);
  if (isShort) return { most: fatGiB - 1, by: 'length' };
  return { most: Math.min(wantedGiB, withRoom), by: 'room' };
}

function longest(takes: FilePlace['takes'], wantedGiB: number): number {
  if (takes(wantedGiB)) return wantedGiB;
  let [most, above] = [0, wantedGiB];
  while (above - most > 1) {
    const middle = Math.floor((most + above) / 2);
    if (takes(middle)) most = middle;
    else above = middle;
  }
  return most;
}

/** Why there can be no disk of that size; undefined where there can. */
export function diskProblem(disk: string, diskGiB: number): Failure | undefined {
  const directory = dirname(disk);
  const { most, by } = mostGiB(placeAt(disk), diskGiB);
  if (most >= diskGiB) return undefined;
  return diskTooLarge(directory, diskGiB, { most, by });
}

/** In words: the largest disk that the directory takes, and what is in the way of a larger one. */
export function diskTooLarge(
  directory: string,
  diskGiB: number,
  { most, by }: ReturnType<typeof mostGiB>,
): Failure {
  const smaller =
    most >= 2 ? advice`Choose a smaller disk (${ours('configure', `-s ${most}`)}), or` : 'Choose';
  const why = {
    length:
      'its file system does not allow larger files (FAT: below 4 GiB), or a limit does not (ulimit -f)',
    room: 'its file system does not support sparse files, and no more space is free',
  }[by];
  return {
    kind: 'disk-too-large',
    vmFault: 'none',
    message: `${directory} cannot hold a disk of ${diskGiB} GiB, ${most === 0 ? 'not even one of 1 GiB' : `only one of at most ${most} GiB`}: ${why}.`,
    hint: advice`${smaller} another directory (-d).`,
    exit: Exit.cannotCreate,
    recovery: 'give-up',
  };
}

function placeAt(disk: string): FilePlace {
  const directory = dirname(disk);
  return {
    keepsHoles: probe(directory, MiB, (fd) => fstatSync(fd).blocks * 512 < MiB) !== false,
    freeGiB: roomAt(directory).bytes / GiB,
    hasGiB: (sizeIfThere(disk) ?? 0) / GiB,
    takes: (sizeGiB) => probe(directory, sizeGiB * GiB, () => true) !== 'too-long',
  };
}

/** Asks something of a file of that length, which has no name. Undefined where there can be none: that is said by whoever writes there. */
function probe(
  directory: string,
  bytes: number,
  ask: (fd: number) => boolean,
): boolean | 'too-long' | undefined {
  // One name, so that the next who looks removes what one that was killed left.
  const path = join(directory, '.size');
  let fd: number | undefined;
  try {
    fd = openSync(path, 'w', 0o600);
    rmSync(path, { force: true });
    ftruncateSync(fd, bytes);
    return ask(fd);
  } catch (error) {
    return errorCode(error) === 'EFBIG' ? 'too-long' : undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
