/** The check of the room that the host's file system leaves for the guest's disk and our files. */
import type { Config } from '../../config/config.ts';
import type { Layout } from '../../config/layout.ts';
import { counted } from '../../domain/counted.ts';
import type { Failure } from '../../system/failure.ts';
import { realOrItself } from '../../system/files/final-target.ts';
import type { CheckVerdict } from '../check-runner.ts';
import { exposureOf, describeExposure } from '../../supervisor/disk/disk-record.ts';
import { roomAt, startInodes } from '../../supervisor/disk/disk-room.ts';
import { diskProblem } from '../../supervisor/disk/disk-size.ts';
import { advice, ours } from '../../system/advice.ts';
import { statsIfThere } from '../../system/stats.ts';

const GiB = 1024 ** 3;
/** Below this the guest's writes soon find no room. */
const leastGiB = 2;

/** The disk as it is now: free space and inodes, its own size, the volume it is on, in whose hands it has been. */
export function diskSpace(
  layout: Layout,
  { diskGiB }: Pick<Config, 'diskGiB'>,
  where: { readonly platform: NodeJS.Platform; readonly place: string } = {
    platform: process.platform,
    place: realOrItself(layout.root),
  },
): CheckVerdict {
  const { root, disk } = layout;
  return judgeDisk(root, {
    ...roomAt(root),
    // Sparse: what it takes is its blocks of 512 bytes.
    usedBytes: (statsIfThere(disk)?.blocks ?? 0) * 512,
    tooLarge: diskProblem(disk, diskGiB),
    isExternal: isExternal(where),
    exposed: exposureOf(layout),
  });
}

interface DiskFacts {
  /** Free; Infinity where the file system does not say. */
  readonly bytes: number;
  /** How many more files can be made. */
  readonly inodes: number;
  readonly usedBytes: number;
  readonly tooLarge: Pick<Failure, 'message' | 'hint'> | undefined;
  /** It is on another volume than the Mac's own. */
  readonly isExternal: boolean;
  readonly exposed: ReturnType<typeof exposureOf>;
}

/** What is wrong comes before what is worth knowing, and of either the first counts. Pure. */
export function judgeDisk(root: string, facts: DiskFacts): CheckVerdict {
  const { bytes, inodes, usedBytes, tooLarge, exposed } = facts;
  const free = bytes / GiB;
  if (inodes < startInodes) return fewInodes(root, inodes);
  if (tooLarge !== undefined) return largeDisk(tooLarge);
  if (free < leastGiB) return littleSpace(root, free);
  const much = free === Infinity ? 'free space unknown' : `${free.toFixed(1)} GiB free`;
  const fact = `${much}; the guest's disk uses ${(usedBytes / GiB).toFixed(1)} GiB`;
  if (facts.isExternal) return onOtherVolume(fact);
  return exposed === undefined
    ? { kind: 'good', fact }
    : { kind: 'note', code: 'disk-exposed', fact, why: describeExposure(exposed) };
}

const fewInodes = (root: string, inodes: number): CheckVerdict => ({
  kind: 'bad',
  code: 'inodes-few',
  what: `Only ${counted(inodes, 'more file')} can be created in ${root}: its file system is almost out of inodes.`,
  why: 'Each start creates files, and so does each change of the status.',
  remedy: 'Delete files on that file system. df -i shows how many it can hold.',
});

const largeDisk = ({ message, hint }: Pick<Failure, 'message' | 'hint'>): CheckVerdict => ({
  kind: 'bad',
  code: 'disk-too-large',
  what: message,
  why: "The guest's disk is a single file.",
  remedy: hint,
});

const littleSpace = (root: string, freeGiB: number): CheckVerdict => ({
  kind: 'bad',
  code: 'space-low',
  what: `Only ${freeGiB.toFixed(1)} GiB of disk space is free in ${root}.`,
  why: 'The guest is paused when its disk cannot grow.',
  remedy: advice`Free some space: nix-collect-garbage on this machine, and ${ours('gc')} for the guest`,
});

const onOtherVolume = (fact: string): CheckVerdict => ({
  kind: 'note',
  code: 'disk-on-other-volume',
  fact: `${fact}; not on the Mac's own volume`,
  why: 'On other volumes, file systems of guests have been damaged more often, and the volume may be disconnected: https://github.com/utmapp/UTM/issues/4840',
});

/** macOS has all but its own volume there; its own name in it is a link to the root. */
const isExternal = ({ platform, place }: { platform: NodeJS.Platform; place: string }): boolean =>
  platform === 'darwin' && place.startsWith('/Volumes/');
