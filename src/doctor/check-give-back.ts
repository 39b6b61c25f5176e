/** The check of what goes back to this machine of what the guest has freed, while it runs. */
import type { Inside } from '../guest/agent/inside.ts';
import type { CheckVerdict } from './check-runner.ts';
import { ask } from '../supervisor/daemon/ask-daemon.ts';
import type { Status } from '../supervisor/status/status-schema.ts';
import { describeGivenUp } from '../supervisor/suspend/given-up.ts';
import { Failed } from '../system/failure.ts';
import type { DoctorFacts } from './facts.ts';
import { advice, joinTexts, ours } from '../system/advice.ts';

/** An unused guest gives back all of its memory either way; but then it boots. Also told of one that is away. */
export const suspendsNoMore = ({
  suspendGivenUp,
}: Pick<Status, 'suspendGivenUp'>): CheckVerdict | undefined =>
  suspendGivenUp && {
    kind: 'note',
    code: 'suspend-given-up',
    fact: 'suspending was given up',
    why: describeGivenUp(suspendGivenUp),
  };

/** What of memory and disk comes back while the guest runs. What does not is no fault: it comes back with its end. */
export async function givesBack({ layout, context, driver }: DoctorFacts): Promise<CheckVerdict> {
  const { clock, signal } = context;
  const found = await ask(layout, 'guest', clock, signal).catch((error: unknown) => {
    if (!(error instanceof Failed)) throw error;
    const nothing: Partial<Inside> = {};
    return nothing;
  });
  const { row } = driver();
  return found.givesBack === undefined
    ? { kind: 'not-asked', code: 'returns-not-reported', why: 'the guest does not report it' }
    : givenBack(found.givesBack, row);
}

/** What the guest's kernel says, beside what its VM program can do. Pure. */
export function givenBack(
  { memory, disk }: NonNullable<Inside['givesBack']>,
  row: { readonly title: string; readonly givesBack: { readonly disk: boolean } },
): CheckVerdict {
  if (memory && disk) return { kind: 'good', fact: 'memory and disk, while the guest runs' };
  const why = [
    ...(memory ? [] : [memoryStays]),
    ...(disk ? [] : [row.givesBack.disk ? diskShould(row.title) : diskStays]),
  ];
  const fact = memory ? 'memory only' : disk ? 'disk only' : 'neither memory nor disk';
  const code = memory ? 'returns-memory' : disk ? 'returns-disk' : 'returns-nothing';
  return { kind: 'note', code, fact, why: joinTexts(why, ' ') };
}

const memoryStays = advice`Memory that the guest has used is returned only when the VM stops: with ${ours('suspend')}, or when the guest is unused, unless idle.how is never.`;
const diskStays = 'Disk space that the guest has used is not returned.';
const diskShould = (title: string): string =>
  `${diskStays} ${title} can return it, but this version is too old, or the file system of the state directory does not support holes.`;
