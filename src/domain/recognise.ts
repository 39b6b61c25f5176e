/** Which of the known faults something that was seen may be. Pure. */
import { advice, type Text } from '../system/advice.ts';
import { knownFaults, type KnownFault, type Versions } from './known-faults.ts';

/** What was seen. */
export interface Sighting {
  readonly said: readonly string[];
  readonly platform: NodeJS.Platform;
  readonly program?: string;
  readonly exitCode?: number;
  readonly signal?: string;
  /** Of macOS, where it is known. */
  readonly macos?: string;
  /** Of that program, where it is known: `10.0.11`. */
  readonly version?: string;
}

/** The faults that it may be, the most particular first. Nothing is guessed: each needs its words, its signal or its code. */
export function recognise(seen: Sighting): KnownFault[] {
  const found = knownFaults.filter((fault) => fits(fault, seen));
  const weight = ({ program, macos, pattern }: KnownFault) =>
    [program, macos, pattern].filter((each) => each !== undefined).length;
  return found.sort((a, b) => weight(b) - weight(a));
}

function fits(fault: KnownFault, seen: Sighting): boolean {
  const { program, platform, exitCodes, signals, pattern } = fault;
  if (platform !== undefined && platform !== seen.platform) return false;
  if (program !== undefined && seen.program !== undefined && program !== seen.program) return false;
  if (!within(seen.macos, fault.macos) || !within(seen.version, fault.version)) return false;
  if (pattern !== undefined) return new RegExp(pattern, 'i').test(seen.said.join('\n'));
  // Without words the program has to be known: codes and signals mean something else for each.
  if (seen.program === undefined) return false;
  return (
    (seen.exitCode !== undefined && exitCodes?.includes(seen.exitCode) === true) ||
    (seen.signal !== undefined && signals?.includes(seen.signal) === true)
  );
}

/** What is not known speaks against nothing. */
function within(version: string | undefined, bounds: Versions | undefined): boolean {
  if (version === undefined || bounds === undefined) return true;
  const { from, before } = bounds;
  if (from !== undefined && compare(version, from) < 0) return false;
  return before === undefined || compare(version, before) < 0;
}

/** -1, 0 or 1, number by number: 15.10 is after 15.2. */
function compare(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split('.').map(Number)) as [number[], number[]];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return Math.sign(difference);
  }
  return 0;
}

/** The version in what a program says of itself: `QEMU emulator version 10.0.11 (...)`, `hyperkit: v0.20200908`. */
export const versionIn = (said: string): string | undefined => /\d+(?:\.\d+)+/.exec(said)?.[0];

/** A fault in a line. */
export const describeFault = ({ cause, remedy, report }: KnownFault): Text =>
  advice`Known issue: ${cause} ${remedy} (${report})`;
