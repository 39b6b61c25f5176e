/** What the daemon has recorded of past starts, and of the last day. */
import type { Layout } from '../config/layout.ts';
import { bootsIn, bootsInLog, type Boot } from '../supervisor/status/boots.ts';
import { dayIn, type Day } from '../supervisor/status/day.ts';
import { readIfThere } from '../system/files/files.ts';

/** The starts that are still recorded, oldest first; Failed `cannot-read` where they are not for us. Before those of boots.jsonl come those that an older release has left in the log. */
export function bootsOf(layout: Layout): readonly Boot[] {
  const boots = bootsIn(readIfThere(layout.boots) ?? '');
  const [first] = boots;
  const before = ({ begun }: Boot) => first === undefined || begun < first.begun;
  return [...bootsInLog(logOf(layout)).filter(before), ...boots];
}

/** The last 24 hours, as far as it is known; undefined where nothing is. */
export const dayOf = (layout: Layout, now: number): Day | undefined =>
  dayIn(readIfThere(layout.day) ?? '', now, logOf(layout));

/** Its older part first. */
const logOf = ({ log }: Layout): string =>
  ['.1', ''].map((part) => readIfThere(`${log}${part}`) ?? '').join('\n');
