/** Checks of the guest itself: its console, its login, its clock. */
import { waitUntilReady } from '../client/until-ready.ts';
import { describeSlow } from '../supervisor/health/login.ts';
import { traitsOf } from '../supervisor/lifecycle/phases.ts';
import { readIfThere } from '../system/files/files.ts';
import type { CheckVerdict } from './check-runner.ts';
import type { DoctorFacts } from './facts.ts';
import { advice, ours } from '../system/advice.ts';

/** Whether the kernel in the VM has said anything: without that there is nothing to wait for. */
export function checkConsole({ status, layout }: DoctorFacts): CheckVerdict {
  const { phase, timeline, vmPid } = status();
  const last = timeline?.at(-1)?.name;
  if (traitsOf(phase).builds === 'now' || last !== undefined)
    return { kind: 'good', fact: last === undefined ? phase : `boot stage '${last}' reached` };
  if (vmPid === undefined)
    return {
      kind: 'note',
      code: 'vm-to-start',
      fact: 'nothing yet',
      why: 'The VM is about to start.',
    };
  // HyperKit's ring is full of zeros from its beginning.
  const size = readIfThere(layout.consoleRing)?.replaceAll('\0', '').trim().length ?? 0;
  return size > 0
    ? { kind: 'good', fact: 'the guest writes to it' }
    : {
        kind: 'bad',
        code: 'console-silent',
        what: 'The guest has not written anything to its console.',
        why: 'Its kernel has probably not started.',
        remedy: advice`${ours('console')}, then ${ours('restart')}`,
      };
}

/** Longer than any start that is going to succeed. */
const bootMs = 180_000;

/** Whether its login works and Nix in it answers. A start that is under way is waited for. */
export async function checkGuest({
  status,
  find,
  layout,
  context,
}: DoctorFacts): Promise<CheckVerdict> {
  const isComing = traitsOf(status().phase).builds === 'soon';
  const onSentence = (line: string) => context.err(`    ${line}`);
  if (isComing) await waitUntilReady(layout, { ...context, timeoutMs: bootMs, onSentence });
  await find();
  const { phase, sentence, health, login, last, because } = status();
  const { builds } = traitsOf(phase);
  if (builds === 'now')
    return health === 'slow' || health === 'frozen'
      ? { kind: 'note', code: `guest-${health}`, fact: health, why: describeSlow(login) }
      : { kind: 'good', fact: 'login works, and nix-daemon in the guest answers' };
  return {
    kind: 'bad',
    code: 'guest-not-ready',
    what: advice`The guest is not ready. ${sentence}`,
    why: last?.message ?? '',
    // Whoever waits for one that has given up waits for ever.
    remedy: builds === 'never' ? (because?.hint ?? sentence) : ours('wait'),
  };
}

/** Files from the future break builds. */
const mostMs = 2_000;

/** Whether its clock is near enough to this machine's. */
export function checkClock({ status }: DoctorFacts): CheckVerdict {
  const { clockOffsetMs } = status();
  if (clockOffsetMs === undefined)
    return {
      kind: 'not-asked',
      code: 'clock-not-measured',
      why: 'the daemon has not measured it yet',
    };
  return Math.abs(clockOffsetMs) <= mostMs
    ? { kind: 'good', fact: `${clockOffsetMs} ms off this machine's` }
    : {
        kind: 'bad',
        code: 'clock-wrong',
        what: `The guest's clock is ${(Math.abs(clockOffsetMs) / 1000).toFixed(1)} s ${clockOffsetMs < 0 ? 'behind' : 'ahead of'} this machine's.`,
        why: 'Files with times in the future break builds, and certificates may not be valid yet.',
        remedy: ours('restart'),
      };
}
