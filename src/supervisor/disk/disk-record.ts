/**
 * In whose hands a data disk has been. What a build registered there as root, while the guest's Nix let builds become root, stays over
 * restarts and new images, and nobody can tell it from the rest: so its owner is told, until there is a new disk or it shall be kept.
 */
import * as v from 'valibot';
import type { Layout } from '../../config/layout.ts';
import { readIfThere, writeWhole } from '../../system/files/files.ts';
import { advice, ours, type Text } from '../../system/advice.ts';

const schema = v.object({
  version: v.literal(1),
  /** The first guest that let builds become root and had the disk; `nix` is absent where no record was kept yet. */
  exposed: v.optional(v.object({ at: v.string(), nix: v.optional(v.string()) })),
  /** Its owner wants to hear no more of it. */
  kept: v.optional(v.boolean()),
});

type DiskRecord = Readonly<v.InferOutput<typeof schema>>;
type Place = Pick<Layout, 'diskRecord'>;

/** Undefined where there is none that can be read. */
function readDiskRecord({ diskRecord }: Place): DiskRecord | undefined {
  try {
    return v.parse(schema, JSON.parse(readIfThere(diskRecord) ?? 'null'));
  } catch {
    // It counts as a disk of a release that kept no record.
    return undefined;
  }
}

/** The disk is blank: nobody has had it. */
export const recordBlank = (layout: Place): void => write(layout, { version: 1 });

/** A guest has the disk from now on; `letsOut`: its Nix lets builds become root. True when it has not been so before. */
export function recordGuest(
  layout: Place,
  guest: { readonly nix: string | undefined; readonly letsOut: boolean; readonly at: string },
): boolean {
  const record = readDiskRecord(layout);
  const { at, nix } = guest;
  // Without a record it is of a release that kept none, with an image that let builds become root.
  const exposed = guest.letsOut ? { at, nix } : record === undefined ? { at } : undefined;
  if (exposed === undefined || record?.exposed !== undefined) return false;
  write(layout, { version: 1, exposed });
  return true;
}

/** Its owner was told, and keeps the disk. */
export const recordKept = (layout: Place): void =>
  write(layout, { ...(readDiskRecord(layout) ?? { version: 1 }), kept: true });

/** What is to be told of a disk; undefined where there is nothing, or no more. */
export const exposureOf = (layout: Place): DiskRecord['exposed'] => {
  const record = readDiskRecord(layout);
  return record?.kept === true ? undefined : record?.exposed;
};

/** For its owner, in a sentence. */
export const describeExposure = ({ nix }: NonNullable<DiskRecord['exposed']>): Text =>
  advice`The guest's disk was used by ${nix === undefined ? 'an older guest, whose Nix' : `Nix ${nix}, which`} let builds become root, and whatever such a build left there is still on it. Start with a new disk: ${ours('disk reset')} (the keys stay). To keep this disk and hide this warning: ${ours('disk keep')}`;

const write = ({ diskRecord }: Place, record: DiskRecord): void =>
  writeWhole(diskRecord, `${JSON.stringify(record)}\n`);
