/** The log that tells of past starts, its older part first. */
import type { Layout } from '../config/layout.ts';
import { bootsIn, type Boot } from '../supervisor/status/boots.ts';
import { dayIn, type Day } from '../supervisor/status/day.ts';
import { readIfThere } from '../system/files/files.ts';

/** The starts that are still in the log, oldest first. */
export const bootsOf = (layout: Layout): readonly Boot[] => bootsIn(textOf(layout));

/** The last 24 hours, as far as the log goes back; undefined where it says nothing. */
export const dayOf = (layout: Layout, now: number): Day | undefined => dayIn(textOf(layout), now);

const textOf = ({ log }: Layout): string =>
  ['.1', ''].map((part) => readIfThere(`${log}${part}`) ?? '').join('\n');
