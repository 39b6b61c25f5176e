/** The whole program, bundled as for a release, in a folder of its own that every user may read. */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

export interface BuiltProgram {
  readonly folder: string;
  readonly main: string;
  [Symbol.dispose](): void;
}

const banner =
  "import { createRequire as r__ } from 'node:module'; import { fileURLToPath as u__ } from 'node:url'; const require = r__(import.meta.url); const __filename = u__(import.meta.url);";

/** The folder's name has a space and an umlaut, as people's have. */
export async function buildProgram(): Promise<BuiltProgram> {
  const package_ = resolve(import.meta.dirname, '../..');
  const folder = mkdtempSync(join(tmpdir(), 'built für alle-'));
  mkdirSync(join(folder, 'src'));
  chmodSync(folder, 0o755);
  copyFileSync(join(package_, 'package.json'), join(folder, 'package.json'));
  cpSync(join(package_, 'launchd'), join(folder, 'launchd'), { recursive: true });
  symlinkSync(join(package_, 'node_modules'), join(folder, 'node_modules'));
  await build({
    entryPoints: [join(package_, 'src/main.ts')],
    outdir: join(folder, 'dist'),
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'error',
    external: ['openpgp', 'xz-decompress'],
    banner: { js: banner },
  });
  const main = join(folder, 'dist/main.js');
  return { folder, main, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}
