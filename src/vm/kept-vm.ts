/** The program that a builder's guest was ready with last, and which build of each better one could not run it. */
import type { Layout } from '../config/layout.ts';
import { errorCode, Failed } from '../system/failure.ts';
import { discard, readIfThere, sizeIfThere, writeWhole } from '../system/files/files.ts';
import { fieldsOf } from '../system/socket/json-lines.ts';

interface KeptVm {
  /** Its name; an empty one is none, and undefined where nothing is known. */
  readonly vm: string | undefined;
  /** By the name of a better program: its build, and the system's, with which it failed. */
  readonly failed: Readonly<Record<string, string>>;
}

/** A disk without a record is of a release that knew QEMU for a default. */
export function readKept({ vmRecord, disk }: Pick<Layout, 'vmRecord' | 'disk'>): KeptVm {
  const nothing = { vm: undefined, failed: {} };
  try {
    const text = readIfThere(vmRecord);
    if (text === undefined)
      return sizeIfThere(disk) === undefined ? nothing : { ...nothing, vm: 'qemu' };
    const { vm, failed } = fieldsOf(JSON.parse(text));
    const builds = Object.entries(fieldsOf(failed)).filter(
      (each): each is [string, string] => typeof each[1] === 'string',
    );
    return typeof vm === 'string' ? { vm, failed: Object.fromEntries(builds) } : nothing;
  } catch {
    return nothing;
  }
}

export const hasRecord = ({ vmRecord }: Pick<Layout, 'vmRecord'>): boolean =>
  sizeIfThere(vmRecord) !== undefined;

export function keepVm(
  { vmRecord }: Pick<Layout, 'vmRecord'>,
  vm: string,
  failed: KeptVm['failed'] = {},
): void {
  const isAny = Object.keys(failed).length > 0;
  const text = `${JSON.stringify({ vm, ...(isAny ? { failed } : {}) })}\n`;
  try {
    if (readIfThere(vmRecord) !== text) writeWhole(vmRecord, text, { durable: false });
  } catch (error) {
    // No room, or something else under its name: the next start ranks anew.
    if (!(error instanceof Failed) && errorCode(error) === undefined) throw error;
    discard(vmRecord);
  }
}

/** The next start ranks all of them, whichever was used so far. */
export const forgetVm = (layout: Pick<Layout, 'vmRecord'>): void => keepVm(layout, '');
