/** Where programs are found that no PATH names, in a world whose /opt and /usr/local are its own. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const checkout = resolve(import.meta.dirname, '../..');
const unshare = ['--map-root-user', '--mount'];

let dir = '';
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'program-'));
  const { outputFiles } = await build({
    stdin: {
      contents: `import { tryProgram } from './src/system/process/find-program.ts'; console.log(tryProgram(process.argv[2], '/nowhere'));`,
      resolveDir: checkout,
    },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
  });
  writeFileSync(join(dir, 'look.js'), outputFiles[0]?.contents ?? '');
});
afterAll(() => removeTree(dir));

// Behaviour 238: gvproxy and vfkit are found in the directory where podman keeps them, which is not on the PATH.
test.each([
  '/opt/homebrew/opt/podman/libexec/podman/gvproxy',
  '/usr/local/opt/podman/libexec/podman/gvproxy',
  '/opt/podman/bin/gvproxy',
])("podman's gvproxy at %s", needs('mounts'), (path) => {
  expect(foundWith(path, 'gvproxy')).toBe(path);
});

// Behaviour 61: Red Hat's QEMU, which is not on the PATH, is found and used for guests of the host's own
// architecture.
test("Red Hat's QEMU, for a guest of the host's own kind", needs('mounts'), () => {
  const [own, other] =
    process.arch === 'arm64'
      ? ['qemu-system-aarch64', 'qemu-system-x86_64']
      : ['qemu-system-x86_64', 'qemu-system-aarch64'];
  const path = '/usr/libexec/qemu-kvm';
  expect(foundWith(path, own)).toBe(path);
  expect(foundWith(path, other)).toBe('undefined');
});

/** What is found by that name where the only programs beside those of the system's /usr/bin are at that path. */
function foundWith(path: string, name: string): string {
  const script = `
    # Node itself may be in one of them.
    exec 9<"$2" && for place in /opt /usr/local /usr/libexec; do mount -t tmpfs none "$place" || exit 1; done
    mkdir -p "\${1%/*}" && printf '#!/bin/sh\n' >"$1" && chmod 755 "$1" && exec "/proc/$$/fd/9" "$3" "$4"`;
  const node = ['sh', '-c', script, 'sh', path, process.execPath, join(dir, 'look.js'), name];
  const { stdout, stderr } = spawnSync('unshare', [...unshare, ...node], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.trim();
}
