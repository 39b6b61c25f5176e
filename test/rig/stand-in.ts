/** Makes the stand-ins programs like any other: one file each, whose process is called as the file is. */
import { execFileSync } from 'node:child_process';
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

/** Where each begins. */
const entries = {
  hyperkit: 'test/rig/hyperkit/main.ts',
  vpnkit: 'test/rig/vpnkit/main.ts',
  vfkit: 'test/fakes/vfkit/main.ts',
  gvproxy: 'test/fakes/gvproxy/main.ts',
} as const;

/** Puts `bin/NAME` into the directory; returns its path. `gvproxy`: what is behind the network's stand-ins. */
export async function makeProgram(
  directory: string,
  name: keyof typeof entries,
  gvproxy = '',
): Promise<string> {
  const interpreter = join(directory, 'libexec', name);
  const program = join(directory, 'bin', name);
  for (const folder of ['libexec', 'bin']) mkdirSync(join(directory, folder), { recursive: true });
  // Under its own name, so that who looks at the process sees that.
  putNode(interpreter);
  const { outputFiles } = await build({
    entryPoints: [join(checkout, entries[name])],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    define: {
      GVPROXY: JSON.stringify(gvproxy),
      IMAGE_INIT: text('src/image/rootfs/initrd/init'),
      ...(name === 'vfkit' || name === 'gvproxy' ? pythonParts() : {}),
    },
    banner: { js: `#!${interpreter}` },
  });
  writeFileSync(program, outputFiles[0]?.contents ?? '');
  chmodSync(program, 0o755);
  return program;
}

const text = (path: string): string => JSON.stringify(readFileSync(join(checkout, path), 'utf8'));

/** Node has no unix datagrams: Python does that part, by its true path, since the stand-ins run with hardly any environment. */
const pythonParts = () => ({
  PYTHON: JSON.stringify(
    execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], {
      encoding: 'utf8',
    }).trim(),
  ),
  LAUNCHER: text('test/fakes/vfkit/launch.py'),
  PEER: text('test/fakes/gvproxy/peer.py'),
});

/** This Node under another name; not a copy where there can be a link, since a hundred megabytes are much for a slow disk. */
export function putNode(path: string): void {
  rmSync(path, { force: true });
  try {
    linkSync(process.execPath, path);
  } catch {
    copyFileSync(process.execPath, path);
  }
}
