/** What others have reported of a child's end, added to our own account of it. */
import { describeFault, recognise } from '../../domain/recognise.ts';
import type { Text } from '../../system/advice.ts';
import type { ExitStatus } from '../../system/process/child.ts';
import type { Failure } from '../../system/failure.ts';
import { systemVersion } from '../../system/host/host.ts';

interface ChildEnd {
  /** Where the catalogue knows faults of this very program. */
  readonly program?: string;
  readonly ended: ExitStatus;
  /** What it said last. */
  readonly output: readonly string[];
}

/** The same failure; with cause and remedy where the fault is a known one. */
export function withKnownFaults(failure: Failure, { program, ended, output }: ChildEnd): Failure {
  const [fault] = recognise({
    said: output,
    ...systemVersion(),
    ...(program === undefined ? {} : { program }),
    ...(ended.kind === 'exited' ? { exitCode: ended.code } : {}),
    ...(ended.kind === 'signalled' ? { signal: ended.signal } : {}),
  });
  return fault === undefined ? failure : { ...failure, known: describeFault(fault) };
}

/** What a line of a program that lives on tells of, where others have reported it. */
export function troubleIn(program: string, line: string): Text | undefined {
  const [fault] = recognise({ said: [line], program, ...systemVersion() });
  return fault === undefined ? undefined : describeFault(fault);
}
