/** Our code in a process of its own: for what only another process can show, its death above all. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { build } from 'esbuild';

/** Makes a program, in that directory, of a module's text that imports `../../src/…`. Resolves with its path. */
export async function makeProgram(directory: string, source: string): Promise<string> {
  const outfile = join(directory, 'program.mjs');
  await build({
    stdin: { contents: source, resolveDir: import.meta.dirname, loader: 'ts' },
    bundle: true,
    outfile,
    platform: 'node',
    format: 'esm',
    banner: { js: "import { createRequire as mk } from 'node:module'; const require = mk('/');" },
  });
  return outfile;
}

/** Runs it with this Node; what it says is piped to us. */
export function runProgram(
  program: string,
  argv: readonly string[],
  stdin: 'ignore' | 'pipe' = 'ignore',
): ChildProcess {
  return spawn(process.execPath, [program, ...argv], { stdio: [stdin, 'pipe', 'pipe'] });
}

/** How it ended, and what it said on both streams. */
export async function outcome(process: ChildProcess) {
  let said = '';
  for (const stream of [process.stdout, process.stderr])
    stream?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const [code, signal] = (await once(process, 'close')) as [number | null, string | null];
  return { code, signal, said };
}
