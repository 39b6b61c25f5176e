/**
 * Whether a guest that was ready goes on, whatever a line on its console says. Root in the guest writes there what he likes, and so does a
 * build: the kernel repeats the name of a mount option that it does not know, lines and all, and stamps each (fs/fs_context.c, `logfc`).
 */
import type { Clock } from '../../system/time/clock.ts';
import type { GuestAgent } from './agent.ts';

/** The time of its disk's root is written, which a file system that takes no more writes refuses. */
const script = 'touch /nix && read -r up rest </proc/uptime && echo "$up"';

/** A guest that is busy may be silent for so long; one in which nothing moves is found frozen about then. */
const tries = 4;
const timeoutMs = 5_000;
const betweenMs = 250;

/**
 * True where it writes to its disk and has run for at least `uptimeS` by then, so that it was not booted anew. Rejects when the signal aborts.
 */
export async function goesOn(
  agent: Pick<GuestAgent, 'exec'>,
  clock: Clock,
  { uptimeS, signal }: { readonly uptimeS: () => number; readonly signal: AbortSignal },
): Promise<boolean> {
  for (let n = 0; n < tries; n++)
    try {
      const { code, stdout } = await agent.exec('/bin/sh', ['-c', script], { signal, timeoutMs });
      return code === 0 && Number(stdout) >= uptimeS();
    } catch (error) {
      if (signal.aborted) throw error;
      await clock.sleep(betweenMs, signal);
    }
  return false;
}
