/** What a builder that keeps its program would gain from a better one that is here now. It is only said: nothing is changed by that. */
import { betterThanKept, type ChooseVm } from '../../vm/choose-vm.ts';

/** A line for a person; none where the program was chosen by name, or nothing better is here. */
export function gainLines(options: ChooseVm): string[] {
  const found = betterThanKept(options);
  if (found === undefined) return [];
  const { kept, better, why } = found;
  return [
    `The guest goes on with ${kept}, which has run it so far. ${better} is here too, and ${why}: to change, linuxkit-builder configure --vm ${found.name}; to let each start choose anew, linuxkit-builder verdicts --clear.`,
  ];
}
