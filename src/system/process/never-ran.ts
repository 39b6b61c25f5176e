/** A child that ended before its program began: for want of its lock, or since the system cannot make a process of that file. */
import { Exit, type Failure } from '../failure.ts';
import { refusalIn } from '../lock/flock.ts';
import { noLocks } from '../lock/lock.ts';
import type { ExitStatus } from './child.ts';
import { advice, asSentence, ours } from '../advice.ts';

/** Undefined where it may have begun. `lines`: what it said last; `lock`: the file that it was to hold. */
export function neverRan(
  ended: ExitStatus,
  lines: readonly string[],
  lock: string,
): Failure | undefined {
  const hasFailed = ended.kind === 'signalled' || (ended.kind === 'exited' && ended.code !== 0);
  if (!hasFailed) return undefined;
  const why = ended.kind === 'exited' ? refusalIn(lines.slice(-1)) : undefined;
  if (why !== undefined) return noLocks(lock, why);
  const said = lines.flatMap(loadersWords)[0];
  return said && programBroken(said.program, said.why, lines);
}

interface Said {
  /** Its path or name; undefined where the loader does not say. */
  readonly program: string | undefined;
  readonly why: string;
}

/**
 * What says so: flock(1), which was to become the program; the loaders of glibc (elf/rtld.c, elf/dl-version.c), of musl (ldso/dynlink.c)
 * and of macOS (dyld). Children have the C locale.
 */
const loaders: readonly RegExp[] = [
  // Not what passes: a program that is being written, or a machine that has no room for another process.
  /^flock: failed to execute (?<program>.+): (?<why>(?!Text file busy|Cannot allocate|Resource temp).+)$/,
  /^(?<program>[^:]+): error while loading shared libraries: (?<why>.+)$/,
  /^(?<program>[^:]+): (?<why>.+: version `.+' not found \(required by .+\))$/,
  /^(?<program>[^:]+): symbol lookup error: (?<why>.+)$/,
  /^Error loading shared library (?<why>.+: .+) \(needed by (?<program>.+)\)$/,
  /^dyld(?:\[\d+\])?: (?<why>(?:Library not loaded|Symbol not found): .+)$/,
];

function loadersWords(line: string): Said[] {
  const groups = loaders.map((loader) => loader.exec(line.trim())?.groups).find(Boolean);
  const why = groups?.['why'];
  return why === undefined ? [] : [{ program: groups?.['program'], why }];
}

/** No second try helps: whoever upgraded a part of it has the rest to upgrade. */
const programBroken = (
  program: string | undefined,
  why: string,
  lines: readonly string[],
): Failure => ({
  kind: 'program-broken',
  vmFault: 'passes',
  message: `This machine cannot run ${program ?? 'the program'}: ${asSentence(why)}`,
  hint: advice`Install that program again, with the libraries that it needs. Then: ${ours('restart')}`,
  exit: Exit.unavailable,
  recovery: 'give-up',
  lines,
});
