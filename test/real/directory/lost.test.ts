/** The state directory is deleted or moved under a daemon with a real guest. */
import { closeSync, existsSync, openSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { identify } from '../../../src/system/process/process.ts';
import { fact } from '../command.ts';
import { BuilderRig } from '../rig.ts';
import { removeTree } from '../../remove-tree.ts';

const vms = (rig: BuilderRig) =>
  rig.processes().filter(({ command }) => /qemu-system-\S+ .*nix-disk/.test(command));

// Behaviour 11: If the state directory is moved, deleted or replaced, the daemon notices within 5 s, and before every
// start. It stops its children cleanly, says what happened, exits with 74, and touches nothing at the old path.
test('deleted beside its disk: the guest is shut down in order, and the next daemon begins after it', async (context) => {
  await using rig = await BuilderRig.create({ context });
  const first = rig.begin('daemon');
  const { vmPid = 0 } = await rig.reaches('ready');
  const console = openSync(rig.layout.consoleRing, 'r');
  // The daemon may be writing a file there.
  removeTree(rig.layout.state);
  // Whoever comes before the first has noticed it is told of it, and starts nothing.
  const early = rig.begin('daemon');
  expect(await early.ended).toBe(75);
  expect(early.stderr).toContain(`pid ${first.pid}`);
  expect(await first.ended).toBe(74);
  const second = rig.begin('daemon');

  const most: number[] = [];
  await fact('the second is ready', () => {
    most.push(vms(rig).length);
    const status = rig.status();
    return status?.daemon.pid === second.pid && status.phase === 'ready';
  });
  expect(Math.max(...most)).toBe(1);
  expect(identify(vmPid)).toBeUndefined();
  expect(first.stderr).toContain(`${rig.layout.root} was moved, deleted or replaced`);
  expect(first.stderr).toContain('linuxkit-builder start');
  expect(readFileSync(console, 'utf8')).toContain('stage=stopped');
  closeSync(console);
  expect(rig.log('leftover-found')).toEqual([]);
  expect((await rig.cli('stop')).stdout).toBe('Stopped.\n');
  await rig.leavesNothing();
});

test('moved away: whoever starts there waits for its end, and nothing is left', async (context) => {
  await using rig = await BuilderRig.create({ context });
  const first = rig.begin('daemon');
  await rig.reaches('ready');
  const away = join(rig.dir, 'away');
  renameSync(rig.layout.root, away);
  const meanwhile = rig.program(['daemon', '-d', away]);
  expect(await meanwhile.ended).toBe(75);
  expect(meanwhile.stderr).toContain(`pid ${first.pid}`);
  expect(await first.ended).toBe(74);
  await fact('no process left', () => rig.processes().length === 0);
  expect(existsSync(rig.layout.root)).toBe(false);
  const log = readFileSync(join(away, 'nix-state/daemon.log'), 'utf8');
  expect(log).toContain('"kind":"directory-lost"');
  expect(log).toContain('"event":"daemon-left"');
});
