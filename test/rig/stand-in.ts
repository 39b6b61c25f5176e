/** Makes the stand-ins programs like any other: one file each, whose process is called as the file is. */
import {
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

const checkout = resolve(import.meta.dirname, '../..');

/** Puts `bin/NAME` into the directory; returns its path. `gvproxy`: what VPNKit's guests have for a world. */
export async function makeProgram(
  directory: string,
  name: 'hyperkit' | 'vpnkit',
  gvproxy = '',
): Promise<string> {
  const interpreter = join(directory, 'libexec', name);
  const program = join(directory, 'bin', name);
  for (const folder of ['libexec', 'bin']) mkdirSync(join(directory, folder), { recursive: true });
  // Under its own name, so that who looks at the process sees that.
  putNode(interpreter);
  const { outputFiles } = await build({
    entryPoints: [join(checkout, 'test/rig', name, 'main.ts')],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    define: {
      GVPROXY: JSON.stringify(gvproxy),
      IMAGE_INIT: JSON.stringify(
        readFileSync(join(checkout, 'src/image/rootfs/initrd/init'), 'utf8'),
      ),
    },
    banner: { js: `#!${interpreter}` },
  });
  writeFileSync(program, outputFiles[0]?.contents ?? '');
  chmodSync(program, 0o755);
  return program;
}

/** This Node under another name; not a copy where there can be a link, since a hundred megabytes are much for a slow disk. */
export function putNode(path: string): void {
  rmSync(path, { force: true });
  try {
    linkSync(process.execPath, path);
  } catch {
    copyFileSync(process.execPath, path);
  }
}
