/** What a builder that keeps its program would gain from a better one that is here now. It is only said: nothing is changed by that. */
import { betterThanKept, type ChooseVm } from '../../vm/choose-vm.ts';

/** A line for a person; none where the program was chosen by name, or nothing better is here. */
export function gainLines(options: ChooseVm): string[] {
  const found = betterThanKept(options);
  if (found === undefined) return [];
  return [describeGain(found)];
}

export const describeGain = ({
  kept,
  better,
  name,
  why,
}: NonNullable<ReturnType<typeof betterThanKept>>): string =>
  `The guest keeps using ${kept}. ${better} is installed too, and ${why}. To switch: linuxkit-builder configure --vm ${name}. To let each start choose: linuxkit-builder verdicts --clear`;
