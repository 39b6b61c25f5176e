/** What a look into the guest, and at its VM and its disk, shows: each in a line. Pure. */
import type { Status } from '../../supervisor/status/status-schema.ts';
import type { LiveFacts } from './report-schema.ts';
import { advice, ours, type Text } from '../../system/advice.ts';

/** How many builds run in the guest; undefined where it was not asked. */
export const buildWords = ({ guest }: LiveFacts): string | undefined =>
  guest && (guest.builds === 0 ? 'none running' : `${guest.builds} running`);

/** What `debug` has kept of builds that failed; undefined where there is nothing. */
export const keptWords = ({ guest }: LiveFacts): Text | undefined => {
  const { directories = 0, bytes = 0 } = guest?.kept ?? {};
  if (directories === 0) return undefined;
  const what =
    directories === 1
      ? 'the directory of 1 failed build'
      : `the directories of ${directories} failed builds`;
  return advice`${what}, ${gibibytes(bytes)} GiB (to delete: ${ours('gc')})`;
};

/** Where freed memory does not go back, what ends that is said. */
export function memoryWords(
  { memory, guest }: LiveFacts,
  builder: Status['builder'],
): Text | undefined {
  if (memory === undefined || builder === undefined) return undefined;
  const keeps =
    guest?.givesBack?.memory === false
      ? advice`; returned only when the guest stops: ${ours('suspend')}, or the setting idle`
      : '';
  return advice`${gibibytes(memory.residentBytes)} GiB used by the VM${keeps}`;
}

/** What the disk takes of this machine, and what is free inside. */
export function diskWords({ disk, guest }: LiveFacts): string | undefined {
  if (disk === undefined) return undefined;
  const taken = `${gibibytes(disk.realBytes)} GiB used of at most ${gibibytes(disk.apparentBytes)} GiB`;
  if (guest === undefined) return taken;
  const keeps =
    guest.givesBack?.disk === false ? '; space that is freed inside is not returned' : '';
  return `${taken}, ${gibibytes(guest.diskFreeBytes)} GiB free inside${keeps}`;
}

const gibibytes = (bytes: number): string => (bytes / 1024 ** 3).toFixed(1);
