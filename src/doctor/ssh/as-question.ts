/** What `doctor` does in the guest keeps no guest that would go. */
import type { CliContext } from '../../command/context.ts';
import type { Layout } from '../../config/layout.ts';
import { Failed } from '../../system/failure.ts';
import { holdQuestion } from '../../supervisor/daemon/ask-daemon.ts';
import type { Check } from '../check-runner.ts';

interface Asking {
  readonly layout: Layout;
  readonly context: Pick<CliContext, 'clock' | 'signal'>;
}

/** A check that logs in, or has something built: for as long as it does the daemon knows that this is only a question. */
export const asQuestion =
  (facts: Asking, run: Check['run']): Check['run'] =>
  async () => {
    const asking = await question(facts);
    try {
      return await run();
    } finally {
      asking?.[Symbol.dispose]();
    }
  };

/** Undefined where no daemon knows of questions. */
async function question({ layout, context }: Asking) {
  try {
    return await holdQuestion(layout, context.clock, context.signal);
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    return undefined;
  }
}
