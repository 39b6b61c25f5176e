import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Report } from '../../src/cli/status/live-facts.ts';
import { schemaProblems } from '../rig/status-schema.ts';
import { fact } from './command.ts';
import { addMonitor } from './monitor.ts';
import { nixBuild } from './nix-client.ts';
import { BuilderRig } from './rig.ts';

// Behaviour 102: `stop` says how many builds are running, lets in no new connections, and waits for logged-in
// connections to end, even while the guest is paused or the daemon does not answer. After ten minutes (`--timeout`),
// it stops the guest anyway; `stop --now` does not wait.
// Behaviour 134: The output of `status --json` matches `docs/status.schema.json` in every phase, and even if the
// daemon is gone.
// Behaviour 136: While `status` runs or a stop waits, the guest is asked for its running builds, free space and
// clock. While no client is in the guest, the answer is reused for half a minute.
test('status --json is what the schema says in every phase, and tells builds and room in the guest', async (context) => {
  await using rig = await BuilderRig.create({ context, configure: ['--max-jobs', '2'] });
  const qmp = addMonitor(rig);
  const seen = new Map<string, Report>();
  /** Asks as a script would, and holds the answer against the schema. */
  const ask = async (): Promise<Report> => {
    const { stdout } = await rig.cli('status', '--json');
    const report = JSON.parse(stdout) as Report;
    expect(schemaProblems(report), stdout).toEqual([]);
    seen.set(report.running ? (report.phase ?? '') : 'gone', report);
    return report;
  };
  const until = (what: string, isSo: (report: Report) => boolean) =>
    fact(what, async () => {
      const report = await ask();
      return isSo(report) && report;
    });
  const reaches = (phase: Report['phase']) =>
    until(`status in phase ${phase ?? ''}`, (report) => report.running && report.phase === phase);

  expect(await ask()).toEqual({ running: false });
  rig.begin('daemon');
  await reaches('booting');
  await reaches('ready');
  // Its agent may be there later than nix-daemon.
  const idle = await until('the guest tells of itself', ({ guest }) => guest !== undefined);
  expect(idle.guest).toMatchObject({ builds: 0 });
  expect(idle.guest?.diskFreeBytes).toBeLessThan(idle.guest?.diskBytes ?? 0);
  expect(idle.disk?.apparentBytes).toBe(4 * 1024 ** 3);
  expect(idle.disk?.realBytes).toBeLessThan(4 * 1024 ** 3);

  // Two builds at a time, until they are let go.
  const file = join(rig.dir, 'two.nix');
  writeFileSync(file, twoBuilds);
  const builds = nixBuild(rig, file);
  const busy = await until('two builds run', ({ guest }) => guest?.builds === 2);
  expect(busy.connections?.open).toBeGreaterThan(0);
  expect((await rig.cli('status')).stdout).toMatch(/builds +2 running/);
  const stop = rig.begin('restart');
  await fact('it says how many builds run', () =>
    /2 builds are running, and \d connection/.test(stop.said),
  );
  expect((await ask()).door?.draining).toBe(true);
  stop.signal('SIGINT');
  await stop.ended;
  await builds.kill();
  await until('they are gone', ({ guest }) => guest?.builds === 0);

  await qmp('stop');
  await reaches('paused');
  await qmp('cont');
  await reaches('ready');
  const killVm = () => process.kill(rig.status()?.vmPid ?? 0, 'SIGKILL');
  // Never ready for a minute: the daemon gives up after the fifth.
  while (rig.status()?.phase !== 'failed') {
    const { vmPid } = await fact('a VM', () => {
      const now = rig.status();
      return now?.phase === 'failed' || now?.phase === 'booting' || now?.phase === 'ready'
        ? now
        : undefined;
    });
    if (rig.status()?.phase === 'failed') break;
    killVm();
    await until('it ended', (now) => now.vmPid !== vmPid || now.phase === 'failed');
  }
  const failed = await rig.cli('status');
  expect(failed.end).toBe(69);
  await reaches('failed');
  await rig.cli('restart');
  await reaches('ready');
  const stopping = rig.begin('stop');
  await reaches('stopping');
  await stopping.ended;
  expect(await ask()).toMatchObject({ running: false, phase: 'stopped' });
  expect([...seen.keys()].sort()).toEqual(
    ['backing-off', 'booting', 'failed', 'gone', 'paused', 'ready', 'starting', 'stopping'].sort(),
  );
  await rig.leavesNothing();
});

const twoBuilds = `map (n: derivation {
  name = "status-test-\${toString n}-\${toString builtins.currentTime}";
  system = builtins.currentSystem;
  allowSubstitutes = false;
  requiredSystemFeatures = [ "linuxkit-builder" ];
  builder = "/bin/sh";
  args = [ "-c" "while :; do read -t 1 line; done" ];
}) [ 1 2 ]
`;
