/** The wait for a guest, as a terminal does it. */
import type { Layout } from '../config/layout.ts';
import type { Clock } from '../system/time/clock.ts';
import { Exit, type Failure } from '../system/failure.ts';
import { until } from '../system/time/wait.ts';
import { drained, isDrained } from './drained.ts';
import { findStatus } from './found.ts';
import { noDaemon } from '../supervisor/daemon/no-daemon.ts';
import { traitsOf } from '../supervisor/lifecycle/phases.ts';
import { advice, ours, plainly } from '../system/advice.ts';

interface WaitOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Each new sentence of the status. */
  readonly onSentence: (sentence: string) => void;
}

/** The guest is ready, or comes with the next build; else why it will not be ready, or not in time. */
export async function waitUntilReady(
  layout: Layout,
  { clock, signal, timeoutMs, onSentence }: WaitOptions,
): Promise<'ready' | 'on-demand' | Failure> {
  let said = '';
  let decided: 'ready' | 'on-demand' | Failure | undefined;
  const isDecided = async () => {
    const found = await findStatus(layout, { clock, signal });
    if (found.daemon === 'gone') decided = found.last?.because ?? noDaemon(layout);
    else {
      const { phase, because, sentence } = found.status;
      const { builds } = traitsOf(phase);
      if (builds === 'now') decided = 'ready';
      else if (builds === 'on-demand') decided = builds;
      else if (builds === 'never') decided = because ?? gaveUp(plainly(sentence));
      else if (plainly(sentence) !== said) onSentence((said = plainly(sentence)));
    }
    return decided !== undefined;
  };
  await until(isDecided, { clock, signal, everyMs: 50, timeoutMs });
  return decided ?? notInTime(timeoutMs / 1000, said);
}

/** The same for builds: a builder that is drained refuses them however ready its guest is, and until a person ends that. */
export async function waitUntilItBuilds(layout: Layout, options: WaitOptions) {
  const outcome = await waitUntilReady(layout, options);
  if (typeof outcome !== 'string') return outcome;
  const found = await findStatus(layout, options);
  return found.daemon === 'alive' && isDrained(found.status) ? drained : outcome;
}

/** For a reason that a daemon of another release gives in words that are not ours. */
export const gaveUp = (sentence: string): Failure => ({
  kind: 'gave-up',
  message: sentence,
  hint: advice`To see why: ${ours('logs')}`,
  exit: Exit.unavailable,
});

const notInTime = (seconds: number, said: string): Failure => ({
  kind: 'not-ready-in-time',
  message: `The builder was not ready after ${seconds} s.${said === '' ? '' : ` ${said}`}`,
  hint: advice`To see why: ${ours('status')}, or ${ours('console')}`,
  exit: Exit.temporary,
});
