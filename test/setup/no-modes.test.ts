import { expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { applyDirectoryChange } from '../../src/setup/directories.ts';
import { plainly } from '../../src/system/advice.ts';
import { failureOf } from '../../src/system/failure.ts';
import { needs } from '../needs.ts';

// Behaviour 27: On a file system that does not keep permissions, such as FAT, `configure` says so, and puts no key
// there.
test('a directory that cannot be made private is refused', needs('Linux'), () => {
  // The kernel keeps the modes of these, whoever asks for others (fs/proc/inode.c, proc_setattr).
  const path = '/proc/self/task';
  const failure = (() => {
    try {
      applyDirectoryChange({ path, kind: 'make-private' }, layoutOf(path));
    } catch (error) {
      return failureOf(error);
    }
    return undefined;
  })();
  expect(failure).toMatchObject({ kind: 'no-modes', exit: 73 });
  expect(failure?.message).toContain(path);
  // The same word of the system is said of what is marked immutable.
  expect(plainly(failure?.hint ?? '')).toContain(`chattr -i ${path}`);
});
