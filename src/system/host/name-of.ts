/** Names of users and groups by their numbers, where the system tells them. */
import { run } from '../process/child.ts';

/** Its name; undefined where the system has none, or no getent(1) to ask (macOS). */
export async function nameOf(
  database: 'passwd' | 'group',
  id: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { stdout } = await run('getent', [database, String(id)], { signal, timeoutMs: 5_000 });
  return /^([^:\s]+):/.exec(stdout)?.[1];
}
