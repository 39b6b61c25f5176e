/** How many files and connections this process may have open. */
import { run, succeeded } from '../process/child.ts';
import { readIfThere } from '../files/files.ts';

/** What Node raises an unlimited one to, at most, on macOS (OPEN_MAX); far more than we need anywhere. */
const unlimited = 10_240;

/** The limit that counts: Node raises the soft one to the hard one as it starts, and a child has the same. */
export async function descriptorLimit(): Promise<number> {
  const told = readIfThere('/proc/self/limits') ?? '';
  const soft = /^Max open files\s+(\S+)/m.exec(told)?.[1] ?? (await byShell());
  const limit = Number.parseInt(soft, 10);
  return Number.isNaN(limit) ? unlimited : limit;
}

async function byShell(): Promise<string> {
  const asked = await run('/bin/sh', ['-c', 'ulimit -n'], { timeoutMs: 5_000 });
  return succeeded(asked) ? asked.stdout : '';
}
