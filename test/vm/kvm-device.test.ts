/** Why a device that is there cannot be opened: by its mode, or by somebody else's word. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { obstacleOf, type Obstacle } from '../../src/vm/kvm-device.ts';
import { makeProgram } from '../rig/other-process.ts';
import { needs, type Need } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const device = '/mnt/kvm';
/** A file system whose devices nobody may open, with such a device in it; what follows is run there. */
const closed = [
  '-m',
  'sh',
  '-ec',
  'mount -t tmpfs -o nodev none /mnt; mknod -m "$0" /mnt/kvm c 10 232; exec "$@"',
];
const devices: Need = {
  what: 'device files of its own',
  isMet: spawnSync('unshare', [...closed, '666', 'true']).status === 0,
};

let dir = '';
let program = '';
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'kvm-'));
  program = await makeProgram(
    dir,
    `import { kvmObstacle } from '../../src/vm/kvm-device.ts';
    console.log(JSON.stringify(kvmObstacle('${device}')));`,
  );
  chmodSync(dir, 0o755);
  chmodSync(program, 0o755);
});
afterAll(() => removeTree(dir));

describe('a device that cannot be opened', needs('root', devices), () => {
  const found = (mode: string, uid: string) => {
    const as = ['setpriv', '--reuid', uid, '--regid', uid, '--clear-groups'];
    const argv = [...closed, mode, ...as, process.execPath, program];
    const { stdout } = spawnSync('unshare', argv, { encoding: 'utf8' });
    return JSON.parse(stdout) as Obstacle;
  };
  test('although its mode lets us', () => {
    expect(found('666', '54321')).toEqual(obstacleOf('EPERM', device));
    expect(found('600', '0')).toEqual(obstacleOf('EPERM', device));
  });
  test('as its mode says', () =>
    expect(found('660', '54321')).toEqual(
      JSON.parse(JSON.stringify(obstacleOf('EACCES', device))),
    ));
});
