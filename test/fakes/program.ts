/** The whole program, bundled as for a release, in a folder of its own that every user may read. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { removeTree } from '../remove-tree.ts';

export interface BuiltProgram {
  readonly folder: string;
  readonly main: string;
  [Symbol.dispose](): void;
}

/** The folder's name has a space and an umlaut, as people's have. */
export async function buildProgram(): Promise<BuiltProgram> {
  const package_ = resolve(import.meta.dirname, '../..');
  const folder = mkdtempSync(join(tmpdir(), 'built für alle-'));
  mkdirSync(join(folder, 'src'));
  chmodSync(folder, 0o755);
  copyFileSync(join(package_, 'package.json'), join(folder, 'package.json'));
  cpSync(join(package_, 'launchd'), join(folder, 'launchd'), { recursive: true });
  symlinkSync(join(package_, 'node_modules'), join(folder, 'node_modules'));
  // By the script that makes a release of it: what Node is given is the same.
  const made = spawn(process.execPath, [join(package_, 'scripts/build.js'), join(folder, 'dist')], {
    cwd: package_,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = (await once(made, 'close')) as [number | null];
  if (code !== 0) throw new Error(`scripts/build.js ended with ${code ?? 'a signal'}`);
  const main = join(folder, 'dist/main.js');
  return { folder, main, [Symbol.dispose]: () => removeTree(folder) };
}
