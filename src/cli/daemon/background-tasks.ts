/** What the daemon needs later than at its start, which shall not wait for it. */
import type { Layout } from '../../config/layout.ts';
import { advice, ours } from '../../system/advice.ts';
import { failureOf } from '../../system/failure.ts';
import { loadLockfile } from '../../system/lock/lock.ts';
import type { CliContext } from '../../command/context.ts';
import { failureLines } from '../../command/say.ts';

/** Once the door is open, and long before anybody has time for an upgrade: that takes the files away which are not loaded yet. */
const loadMs = 5_000;
/** A guest that has just come has other things to do. */
const watchMs = 55_000;

/** The parts that are loaded when they are called for: by a start, a login, the daily look at the image. */
async function loadParts() {
  const [{ watchImage, watchOf }] = await Promise.all([
    import('../image/watch-updates.ts'),
    import('../../guest/login/ask-nix.ts'),
    loadLockfile(),
  ]);
  return { watchImage, watchOf };
}

/** Loads what is left of the program, then looks for newer packages of the image until the daemon is over. Never rejects. */
export async function loadAndWatch(
  layout: Layout,
  context: CliContext,
  over: AbortSignal,
  load: () => Promise<Awaited<ReturnType<typeof loadParts>>> = loadParts,
): Promise<void> {
  const signal = AbortSignal.any([over, context.signal]);
  try {
    await context.clock.sleep(loadMs, signal);
    const { watchImage, watchOf } = await load();
    await context.clock.sleep(watchMs, signal);
    await watchImage(watchOf(layout, context, signal));
  } catch (error) {
    if (signal.aborted) return;
    const failure = failureOf(error);
    const told = failure.kind === 'program-incomplete' ? { ...failure, hint: toRestart } : failure;
    for (const line of failureLines(told)) context.err(line);
  }
}

/** It is a daemon, which nobody runs again as a command. */
const toRestart = advice`Restart the daemon: ${ours('restart')}. If that does not help, reinstall the program.`;
