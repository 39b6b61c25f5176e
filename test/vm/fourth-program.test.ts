/** What a further VM program costs: a row and a folder. Everything else asks the row, so one that nobody knows runs a guest. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { vmProblems } from '../../src/config/machine.ts';
import { networksOf, vmPrograms } from '../../src/config/vm-programs.ts';
import { chooseNetwork } from '../../src/net/networks.ts';
import { BootFiles } from '../../src/supervisor/boot-files.ts';
import type { Running } from '../../src/supervisor/children.ts';
import { planOf } from '../../src/supervisor/plan.ts';
import { start } from '../../src/supervisor/start.ts';
import { stop } from '../../src/supervisor/stop.ts';
import { systemClock } from '../../src/system/clock.ts';
import { silent } from '../../src/system/log.ts';
import { Verdicts } from '../../src/system/verdicts.ts';
import { bundleAt } from '../../src/vm/bundle.ts';
import { fourth, fourthRow } from '../fakes/fourth-vm.ts';
import { World } from '../model/world.ts';

const host = { arch: 'x64', platform: 'linux' } as const;
const rows = { ...vmPrograms, fourth: fourthRow };

test('the settings are judged by its row', () => {
  const problems = (json: Record<string, unknown>) =>
    vmProblems({ vm: 'fourth', ...json }, host, rows).map(({ path, message }) => [path, message]);
  expect(problems({})).toEqual([]);
  expect(problems({ network: 'gvproxy' })).toEqual([]);
  expect(problems({ network: 'vpnkit' })).toEqual([['network', 'does not go with vm fourth']]);
  expect(problems({ cpus: 4 })).toEqual([['cpus', "is above Fourth's 3"]]);
  expect(problems({ system: 'aarch64-linux' })).toEqual([['system', 'does not go with vm fourth']]);
});

test('a network goes with it by its link, and the plan says how', async () => {
  await using world = await World.make();
  const { layout, config } = world;
  const bin = join(dirname(layout.root), 'bin');
  writeFileSync(join(bin, 'gvproxy'), '', { mode: 0o755 });
  expect(networksOf(fourthRow)).toEqual(['user', 'gvproxy']);
  const network = chooseNetwork({
    ...{ config: { network: 'gvproxy' }, row: fourthRow, layout, path: bin },
  });
  expect(network?.link).toBe('vfkit-dgram');
  const plan = planOf({
    ...{ config, layout, driver: fourth, program: '/fourth', network },
    ...{ bundle: bundleAt('/b'), cmdline: 'quiet', accelerator: 'tcg' },
  });
  expect(plan.network?.argv.slice(0, 2)).toEqual([
    '-listen-vfkit',
    `unixgram://${layout.gramSocket}`,
  ]);
  expect(plan.vm.argv).toContain(layout.gramSocket);
});

// Behaviour 112: What a VM program can do is said in one row; one that nobody else knows runs a guest with a row and
// a driver.
test('it runs a guest, which is told by channel where it is reached, and ends it', async () => {
  await using world = await World.make();
  const { layout } = world;
  // No setting can name it.
  const config = { ...world.config, vm: 'qemu' } as const;
  const bin = join(dirname(layout.root), 'bin');
  writeFileSync(
    join(bin, 'fourth-vm'),
    '#!/bin/sh\necho "Linux version 6.1" >"$6"\nexec sleep 60\n',
    {
      mode: 0o755,
    },
  );
  const lines: string[] = [];
  const nothing = () => undefined;
  const isOurs = () => true;
  const bootFiles = new BootFiles({ layout, clock: systemClock, isOurs });
  const running: Running = {};
  const signal = new AbortController().signal;
  await start(
    {
      ...{ config, layout, driver: fourth, clock: systemClock, log: silent, bootFiles },
      verdicts: new Verdicts(layout.verdicts),
      ...{ isClear: false, isDoubtful: false, onStep: nothing, onImage: nothing },
      ...{
        onAccelerator: nothing,
        onChosen: nothing,
        onNetworkTrouble: nothing,
        onPaused: nothing,
        onResumed: nothing,
        onLost: nothing,
      },
      ...{ afresh: false, onResumes: nothing, onUnfit: nothing },
      onLine: ({ text }) => lines.push(text),
      awaitRoom: () => Promise.reject(new Error('there is room')),
    },
    running,
    signal,
  );
  const seed = readFileSync(layout.initrd, 'latin1');
  expect(seed).toContain("AGENT='vsock'\nSSH='network'\n");
  expect(readFileSync(layout.pid('fourth'), 'utf8')).toBe(`${running.vm?.pid}\n`);
  while (lines.length === 0) {
    running.console?.poke();
    await systemClock.sleep(2);
  }
  expect(lines).toEqual(['Linux version 6.1']);
  await stop(running, {
    ...{ layout, clock: systemClock, log: silent, isOurs },
    ...{ agent: nothing, listens: () => false, frozen: false, dead: true },
    now: AbortSignal.abort(),
  });
  expect(await running.vm?.ended).toMatchObject({ kind: 'signalled' });
});
