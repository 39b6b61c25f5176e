import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeProgram } from '../rig/other-process.ts';
import { needs, type Need } from '../needs.ts';
import { stampOf } from '../../src/system/files/stamp.ts';
import { watchFile } from '../../src/system/files/watch.ts';
import { removeTree } from '../remove-tree.ts';

/** What follows is run where nobody may have an inotify instance (namespaces(7), /proc/sys/user). */
const unwatched = [
  '--user',
  '--map-root-user',
  'sh',
  '-ec',
  'echo 0 >/proc/sys/user/max_inotify_instances; exec "$@"',
  'sh',
];
const limits: Need = {
  what: 'a limit of its own on inotify',
  isMet: spawnSync('unshare', [...unwatched, 'true']).status === 0,
};

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'watch-'));
});
afterEach(() => removeTree(dir));

// Behaviour 39: A change of `config.json` is noticed within 15 s, even if the system does not report the change, for
// example because it has no inotify instances left.
test('a change of which the system does not tell is seen by looking', needs(limits), async () => {
  const file = join(dir, 'config.json');
  writeFileSync(file, '{}');
  const program = await makeProgram(
    dir,
    `import { rmSync, watch, writeFileSync } from 'node:fs';
    import { watchFile } from '../../src/system/files/watch.ts';
    const file = process.argv[2];
    try { watch(file); } catch (error) { console.log(error.code); }
    let changes = 0;
    const { look, close } = watchFile(file, () => changes++);
    const looks = (count) => {
      for (let n = 0; n < count; n++) look();
      console.log(changes);
    };
    looks(2);
    writeFileSync(file, '{"cpus": 1}');
    // It may still be written.
    looks(1);
    looks(2);
    rmSync(file);
    looks(3);
    writeFileSync(file, '{}');
    looks(3);
    await close();`,
  );
  const argv = [...unwatched, process.execPath, program, file];
  const { stdout, stderr } = spawnSync('unshare', argv, { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout.trim().split('\n')).toEqual(['EMFILE', '0', '0', '1', '1', '2']);
});

test('what changed before the watch began is seen, too', async () => {
  const file = join(dir, 'config.json');
  writeFileSync(file, '{}');
  const readAt = stampOf(file);
  writeFileSync(file, '{"cpus": 1}');
  let changes = 0;
  const watch = watchFile(file, () => changes++, readAt);
  watch.look();
  watch.look();
  await watch.close();
  expect(changes).toBe(1);
});
