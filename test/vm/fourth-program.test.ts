/** What a further VM program costs: a row and a folder. Everything else asks the row, so one that nobody knows runs a guest. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { vmProblems } from '../../src/config/combinations.ts';
import { networksOf, vmPrograms } from '../../src/domain/vm-programs.ts';
import { chooseNetwork } from '../../src/net/networks.ts';
import { planOf } from '../../src/supervisor/start/launch-plan.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { bundleAt } from '../../src/vm/boot-image.ts';
import { fourth, fourthRow } from '../fakes/fourth-vm.ts';
import { oneStart } from '../model/one-start.ts';
import { World } from '../model/world.ts';

const host = { arch: 'x64', platform: 'linux' } as const;
const rows = { ...vmPrograms, fourth: fourthRow };

test('the settings are judged by its row', () => {
  const problems = (json: Record<string, unknown>) =>
    vmProblems({ vm: 'fourth', ...json }, host, rows).map(({ path, message }) => [path, message]);
  expect(problems({})).toEqual([]);
  expect(problems({ network: 'gvproxy' })).toEqual([]);
  expect(problems({ network: 'vpnkit' })).toEqual([['network', expect.stringContaining('fourth')]]);
  expect(problems({ cpus: 4 })).toEqual([['cpus', expect.stringMatching(/Fourth.* 3$/)]]);
  expect(problems({ system: 'aarch64-linux' })).toEqual([
    ['system', expect.stringContaining('fourth')],
  ]);
});

test('a network goes with it by its link, and the plan says how', async () => {
  await using world = await World.make();
  const { layout, config } = world;
  const bin = join(dirname(layout.root), 'bin');
  writeFileSync(join(bin, 'gvproxy'), '', { mode: 0o755 });
  expect(networksOf(fourthRow)).toEqual(['user', 'gvproxy']);
  const network = chooseNetwork({
    config: { network: 'gvproxy' },
    row: fourthRow,
    layout,
    path: bin,
  });
  expect(network?.link).toBe('vfkit-dgram');
  const plan = planOf({
    config,
    layout,
    driver: fourth,
    program: '/fourth',
    network,
    bundle: bundleAt('/b'),
    cmdline: 'quiet',
    accelerator: 'tcg',
  });
  expect(plan.network?.argv.slice(0, 2)).toEqual([
    '-listen-vfkit',
    `unixgram://${layout.gramSocket}`,
  ]);
  expect(plan.vm.argv).toContain(layout.gramSocket);
});

// Behaviour 60: To support another VM program, the code needs only one row in a table, and one driver.
test('it runs a guest, which is told by channel where it is reached, and ends it', async () => {
  await using world = await World.make();
  const { layout } = world;
  const bin = join(dirname(layout.root), 'bin');
  writeFileSync(
    join(bin, 'fourth-vm'),
    '#!/bin/sh\necho "Linux version 6.1" >"$6"\nexec sleep 60\n',
    {
      mode: 0o755,
    },
  );
  const { child, scope, end } = await oneStart(world, fourth);
  const { guest } = scope;
  const seed = readFileSync(layout.initrd, 'latin1');
  expect(seed).toContain("AGENT='vsock'\nSSH='network'\n");
  expect(readFileSync(layout.pid('fourth'), 'utf8')).toBe(`${child.pid}\n`);
  while (guest.lastLines().length === 0) {
    scope.tick(true);
    await systemClock.sleep(2);
  }
  expect(guest.lastLines()).toEqual(['Linux version 6.1']);
  expect(await end()).toMatchObject({ kind: 'signalled' });
});
