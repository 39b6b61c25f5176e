import { chmodSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { mayBeUnregistered } from '../../src/nix/registration.ts';
import { reportOf } from '../../src/cli/status/live-facts.ts';
import { aliveLines, goneLines } from '../../src/cli/status/status-screen.ts';
import { rootUpdate } from '../../src/setup/root/report-drift.ts';
import { withBlock } from '../../src/host/managed-block.ts';
import { statusOf } from '../../src/supervisor/status/status-of.ts';
import { schemaProblems } from '../rig/status-schema.ts';
import { configureRig } from './configure-rig.ts';
import { needs } from '../needs.ts';
import { saying } from '../fakes/saying.ts';

type Rig = ReturnType<typeof configureRig>;
const toTell = (rig: Rig) => rootUpdate(rig.layout, { env: { LINUXKIT_BUILDER_TREE: rig.tree } });
const namesIn = (rig: Rig) => toTell(rig)?.differs.map(({ name }) => name);

describe('settings that are others than root was told', needs('root'), () => {
  test('are named, with both values, on the screen and in the record', async () => {
    using rig = configureRig();
    expect((await rig.run('-c', '2', '--port', '24999')).failure).toBeUndefined();
    expect(toTell(rig)).toBeUndefined();
    writeFileSync(rig.layout.config, '{"port": 25000, "cpus": 1, "features": ["kvm"]}');
    const drift = toTell(rig);
    expect(drift).toMatchObject({
      differs: [
        { name: 'port', told: 24999, set: 25000 },
        { name: 'maxJobs', told: 2, set: 1 },
        { name: 'features', set: 'kvm,linuxkit-builder' },
      ],
      files: [rig.root.sshConfig, rig.root.list],
      remedy: saying(/^linuxkit-builder configure .*--no-root/),
    });
    if (drift === undefined) throw new Error('it was there');
    const status = statusOf({
      state: { phase: 'ready', since: 0, attempt: 0 },
      facts: {},
      problems: [],
      daemon: { pid: 1, started: '1', boot: 'b', program: 'node' },
      door: undefined,
      config: undefined,
      runs: undefined,
    });
    const screen = { now: 0, width: Infinity, live: { untold: drift } };
    const words =
      /nix +Root's files are out of date: port \(24999 there, 25000 configured\), maxJobs .*configure/;
    expect(aliveLines(status, screen).join('\n')).toMatch(words);
    expect(goneLines(undefined, screen).join('\n')).toMatch(words);
    expect(
      schemaProblems(reportOf({ daemon: 'gone', last: undefined }, { untold: drift })),
    ).toEqual([]);
  });

  test('are looked for only where a file is younger than what root was told, or a link, or gone', async () => {
    using rig = configureRig();
    const isLookedFor = () =>
      mayBeUnregistered(rig.layout, { env: { LINUXKIT_BUILDER_TREE: rig.tree } });
    expect(isLookedFor()).toBe(true);
    await rig.run('-c', '2');
    expect(isLookedFor()).toBe(false);
    const later = Date.now() / 1000 + 60;
    for (const path of [rig.layout.config, rig.root.list, rig.root.sshConfig]) {
      utimesSync(path, later, later);
      expect(isLookedFor(), path).toBe(true);
      utimesSync(path, later - 120, later - 120);
      expect(isLookedFor(), path).toBe(false);
    }
    renameSync(rig.root.machines, `${rig.root.machines}.real`);
    expect(isLookedFor()).toBe(true);
    symlinkSync(`${rig.root.machines}.real`, rig.root.machines);
    expect(isLookedFor()).toBe(true);
  });

  test('count for keys too, and for files that somebody took away', async () => {
    using rig = configureRig();
    await rig.run('-c', '2');
    writeFileSync(rig.root.knownHosts, 'nix-linuxkit ssh-ed25519 AAAA\n');
    expect(namesIn(rig)).toEqual(['key']);
    await rig.run();
    rmSync(rig.root.sshConfig);
    expect(toTell(rig)?.sentence).toContain(rig.root.sshConfig);
  });

  test('are none where the release before has told root the same', async () => {
    using rig = configureRig();
    await rig.run('-c', '2');
    const line = rig.read(rig.root.list).trimEnd();
    const block = withBlock(Buffer.alloc(0), [line], 'last');
    writeFileSync(rig.root.machines, block);
    const { owner } = JSON.parse(rig.read(rig.root.installed)) as { owner: unknown };
    const receipt = { path: rig.root.machines, put: 'block', before: null, digest: '', at: '' };
    writeFileSync(
      rig.root.installed,
      JSON.stringify({ version: 1, owner, receipts: [receipt] }, null, 2),
    );
    rmSync(rig.root.list);
    rmSync(rig.root.clientPublicKey);
    expect(toTell(rig)).toBeUndefined();
    const finding = async () => (await rig.doctor()).find(({ name }) => name === "root's files");
    expect(await finding()).toMatchObject({ kind: 'note' });
    await rig.run('--no-root', '--max-jobs', '1');
    expect(namesIn(rig)).toEqual([]);
    expect(toTell(rig)?.files).toContain(rig.root.machines);
    await rig.run();
    expect(await finding()).toMatchObject({ kind: 'good' });
  });

  test('are not guessed where nothing can be read', async () => {
    using rig = configureRig();
    expect(toTell(rig)).toBeUndefined();
    await rig.run('-c', '2');
    writeFileSync(rig.layout.config, '{"port": 0}');
    expect(toTell(rig)).toBeUndefined();
    writeFileSync(rig.layout.config, '{"port": 25000}');
    chmodSync(rig.layout.hostKey, 0o644);
    expect(toTell(rig)).toBeUndefined();
  });
});
