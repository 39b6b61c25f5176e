/** Which vfkit it is, by its own word. */
import { run } from '../../system/process/child.ts';
import type { Abilities } from '../vm-driver.ts';

const timeoutMs = 10_000;

/** `vfkit version: v0.6.4`; before 0.5.1 without the colon. A build that names no version is taken as it is. */
export async function vfkitAbilities(program: string, signal: AbortSignal): Promise<Abilities> {
  const { stdout } = await run(program, ['--version'], { timeoutMs, signal });
  signal.throwIfAborted();
  const version = versionIn(stdout);
  return {
    sandbox: false,
    forwardsUnix: false,
    ...(version === undefined ? {} : { version }),
  };
}

/** Pure. */
export const versionIn = (text: string): string | undefined =>
  /\bv?(\d+\.\d+\.\d+)\b/.exec(text)?.[1];
