/** The log that tells of past starts, its older part first. */
import type { Layout } from '../config/layout.ts';
import { bootsIn, type Boot } from '../supervisor/status/boots.ts';
import { readIfThere } from '../system/files/files.ts';

/** The starts that are still in the log, oldest first. */
export const bootsOf = ({ log }: Layout): readonly Boot[] =>
  bootsIn(['.1', ''].map((part) => readIfThere(`${log}${part}`) ?? '').join('\n'));
