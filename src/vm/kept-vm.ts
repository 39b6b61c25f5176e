/** The program that a builder's guest was ready with last, and which build of each better one could not run it. */
import type { Layout } from '../config/layout.ts';
import { errorCode, Failed } from '../system/failure.ts';
import { discard, readIfThere, sizeIfThere, writeWhole } from '../system/files/files.ts';
import { fieldsOf } from '../system/socket/json-lines.ts';

interface KeptVm {
  /** Its name; an empty one is none, and undefined where nothing is known. */
  readonly vm: string | undefined;
  /** By the name of a better program: how it failed. */
  readonly failed: Readonly<Record<string, FailedVm>>;
}

/** A better program that could not run the guest. */
interface FailedVm {
  /** Its build then, and the system's. */
  readonly build: string;
  /** A sentence; absent where an older release has written it. */
  readonly why?: string | undefined;
}

/** A disk without a record is of a release that knew QEMU for a default. */
export function readKept({ vmRecord, disk }: Pick<Layout, 'vmRecord' | 'disk'>): KeptVm {
  const nothing = { vm: undefined, failed: {} };
  try {
    const text = readIfThere(vmRecord);
    if (text === undefined)
      return sizeIfThere(disk) === undefined ? nothing : { ...nothing, vm: 'qemu' };
    const { vm, failed, why } = fieldsOf(JSON.parse(text));
    return typeof vm === 'string' ? { vm, failed: failedIn(failed, fieldsOf(why)) } : nothing;
  } catch {
    return nothing;
  }
}

const failedIn = (builds: unknown, reasons: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(
    Object.entries(fieldsOf(builds)).flatMap(([name, build]) => {
      const why = reasons[name];
      if (typeof build !== 'string') return [];
      return [[name, { build, ...(typeof why === 'string' ? { why } : {}) }] as const];
    }),
  );

/** False of a new disk, and of one of a release that kept none. */
export const hasRecord = ({ vmRecord }: Pick<Layout, 'vmRecord'>): boolean =>
  sizeIfThere(vmRecord) !== undefined;

/** What cannot be written is forgotten: the next start ranks anew. */
export function keepVm(
  { vmRecord }: Pick<Layout, 'vmRecord'>,
  vm: string,
  failed: KeptVm['failed'] = {},
): void {
  const text = `${JSON.stringify(recordOf(vm, Object.entries(failed)))}\n`;
  try {
    if (readIfThere(vmRecord) !== text) writeWhole(vmRecord, text, { durable: false });
  } catch (error) {
    // No room, or something else under its name: the next start ranks anew.
    if (!(error instanceof Failed) && errorCode(error) === undefined) throw error;
    discard(vmRecord);
  }
}

/** Builds and reasons stand apart: older releases read builds as words. */
function recordOf(vm: string, failed: readonly (readonly [string, FailedVm])[]): object {
  if (failed.length === 0) return { vm };
  const builds = failed.map(([name, { build }]) => [name, build] as const);
  const reasons = failed.map(([name, { why }]) => [name, why] as const);
  return { vm, failed: Object.fromEntries(builds), why: Object.fromEntries(reasons) };
}

/** The next start ranks all of them, whichever was used so far. */
export const forgetVm = (layout: Pick<Layout, 'vmRecord'>): void => keepVm(layout, '');
