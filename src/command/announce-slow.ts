/** A word for whoever waits. */
import type { CliContext } from './context.ts';

/** Nobody minds a second. */
const silentMs = 1_000;

/** What the work comes to; when that takes longer than a second, a line says once what is waited for. */
export async function saying<T>(
  line: string,
  { clock, err }: Pick<CliContext, 'clock' | 'err'>,
  work: () => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  void clock.sleep(silentMs, over.signal).then(
    () => err(line),
    () => undefined,
  );
  try {
    return await work();
  } finally {
    over.abort(new Error('it is done'));
  }
}

/** Of every command that ends the daemon. */
export const waitingForEnd = 'Waiting for the guest to shut down and the daemon to stop.';

/** Of every command that another one has to wait for. */
export const waitingForOther =
  'Another command is changing this state directory; waiting for it to finish.';

/** Of every command that needs a guest where none is running because nobody needed one. */
export const startingGuest = 'The guest is not running; starting it.';
