/** What stands at a path, where something may stand. */
import { lstatSync, statSync, type BigIntStats, type Stats } from 'node:fs';
import { errorCode } from './failure.ts';

/** Of a path, or since a part of it is a file. */
export const isNotThere = (error: unknown): boolean =>
  ['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '');

/**
 * What a path leads to; undefined where nothing is there. Node has an option for that (`throwIfNoEntry`), but for a path below a file it
 * throws in some versions, and gives undefined in others.
 */
export const statsIfThere = (path: string): Stats | undefined => ifThere(() => statSync(path));

/** The same of a link itself. */
export const linkStatsIfThere = (path: string): Stats | undefined => ifThere(() => lstatSync(path));

/** The first with times in nanoseconds. */
export const exactStatsIfThere = (path: string): BigIntStats | undefined =>
  ifThere(() => statSync(path, { bigint: true }));

function ifThere<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (isNotThere(error)) return undefined;
    throw error;
  }
}
