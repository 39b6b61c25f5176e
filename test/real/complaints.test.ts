import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { BuilderRig } from './rig.ts';

// Behaviour 83: `status` shows trouble that the guest's kernel reports on the console, such as an oops, a stall or a
// lack of memory. If the guest's disk becomes read-only, the guest is restarted, which repairs the file system on the
// disk.
test('what the kernel complains of is shown; a disk that takes no more writes is mended', async (context) => {
  await using rig = await BuilderRig.create({ context });
  await rig.up();
  const asRoot = (command: string) => rig.cli('ssh', '--root', '--', command);
  // The kernel's own way to show what it does when memory runs out; somebody has to be there whom it may end.
  await asRoot('sleep 600 </dev/null >/dev/null 2>&1 & echo f >/proc/sysrq-trigger');
  const { complaints, health } = await rig.untilStatus(
    'it is told',
    (now) => now.complaints !== undefined,
  );
  expect(complaints?.[0]).toMatchObject({ what: 'out-of-memory' });
  expect(health ?? 'well').toBe('well');
  expect((await rig.cli('status')).stdout.replaceAll(/\s+/g, ' ')).toContain(
    'ago, from the kernel: Out of memory',
  );

  const { vmPid } = await rig.reaches('ready');
  await asRoot('echo broken >/sys/fs/ext4/vda/trigger_fs_error');
  const again = await rig.untilStatus(
    'another one is ready',
    (now) => now.phase === 'ready' && now.vmPid !== vmPid,
  );
  expect(again.last?.kind).toBe('guest-read-only');
  expect(rig.log('guest-notes').some(({ name }) => name === 'disk-check')).toBe(true);
  expect(readdirSync(rig.layout.incidents)).toHaveLength(1);
  expect(await rig.cli('stop')).toMatchObject({ end: 0 });
  await rig.leavesNothing();
});
