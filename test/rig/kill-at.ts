/** Our command line in a process that is struck at a change of its own choosing: all that it does to files is counted. */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BuiltProgram } from '../fakes/program.ts';
import { outcome } from './other-process.ts';

export interface Strike {
  /** Before which change to files, counted from 1. What it was about to write then is written by half. */
  readonly at: number;
  /** SIGINT as a terminal sends it, to its children too; SIGKILL to itself alone. */
  readonly signal: 'SIGINT' | 'SIGKILL';
}

export interface Struck {
  readonly code: number | null;
  readonly signal: string | null;
  readonly said: string;
  /** How many changes to files, and starts of programs, it came to; unknown of one that was killed. */
  readonly changes: number | undefined;
}

/** Runs our program to its end, or to the strike. */
export async function runStruck(
  { folder, main }: BuiltProgram,
  argv: readonly string[],
  { env, strike }: { env: Readonly<Record<string, string>>; strike?: Strike | undefined },
): Promise<Struck> {
  const [preload, told] = [join(folder, 'count.cjs'), join(folder, 'changes')];
  writeFileSync(preload, counting);
  writeFileSync(told, '');
  const child = spawn(process.execPath, ['--require', preload, main, ...argv], {
    env: { ...env, STRIKE: JSON.stringify({ at: 0, ...strike, told }) },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own: whoever is struck, it is not the test.
    detached: true,
  });
  const ended = await outcome(child);
  const changes = readFileSync(told, 'utf8');
  return { ...ended, changes: changes === '' ? undefined : Number(changes) };
}

/** Runs before the program, in its process. */
const counting = String.raw`
const fs = require('node:fs');
const programs = require('node:child_process');
const { at, signal, told } = JSON.parse(process.env.STRIKE);
delete process.env.STRIKE;
const { writeFileSync } = fs;
let changes = 0;
const strike = () => process.kill(signal === 'SIGINT' ? -process.pid : process.pid, signal);
const half = (data) => data.subarray(0, data.length >> 1);
const bytes = (data) => (typeof data === 'string' ? Buffer.from(data) : data);
const wrap = (object, name, torn) => {
  const original = object[name];
  object[name] = function (...args) {
    if (++changes !== at) return original.apply(this, args);
    if (signal === 'SIGKILL') torn?.(original.bind(this), args);
    strike();
    return original.apply(this, args);
  };
};
for (const name of ['mkdir', 'mkdtemp', 'rename', 'rm', 'rmdir', 'unlink', 'link', 'symlink', 'chmod', 'chown', 'utimes', 'copyFile', 'truncate']) {
  wrap(fs, name + 'Sync');
  wrap(fs.promises, name);
}
for (const name of ['ftruncateSync', 'fsyncSync', 'fchmodSync', 'futimesSync']) wrap(fs, name);
wrap(fs, 'writeSync', (write, [fd, data]) => write(fd, half(bytes(data))));
for (const name of ['writeFileSync', 'appendFileSync'])
  wrap(fs, name, (write, [path, data, ...rest]) => write(path, half(bytes(data)), ...rest));
const { open } = fs.promises;
fs.promises.open = async (...args) => {
  const file = await open(...args);
  wrap(file, 'write');
  wrap(file, 'truncate');
  return file;
};
wrap(programs, 'spawn');
wrap(programs, 'spawnSync');
require('node:module').syncBuiltinESMExports();
process.on('exit', () => writeFileSync(told, String(changes)));
`;
