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

/** Of every verb that ends the daemon. */
export const waitingForEnd = 'Waiting for the guest to shut down, and for the daemon to end.';
