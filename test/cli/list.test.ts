/** `list`, `machines`, `ssh-config`: what there is, for people and for other programs. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { configureRig } from '../setup/configure-rig.ts';
import { needs } from '../needs.ts';

type Rig = ReturnType<typeof configureRig>;
const command = (rig: Rig, ...argv: string[]) =>
  rig.anyWith({ LINUXKIT_BUILDER_TREE: rig.tree }, ...argv, '-d', rig.layout.root);

describe('of a machine', needs('root'), () => {
  test('with a builder', async () => {
    using rig = configureRig();
    await rig.run(
      '-c',
      '1',
      '-m',
      '1024',
      '-s',
      '4',
      '--port',
      '24999',
      '--system',
      'x86_64-linux',
    );
    const { out } = await command(rig, 'list', '--json');
    const builder = {
      directory: rig.layout.root,
      phase: 'gone',
      known: true,
      system: 'x86_64-linux',
      cpus: 1,
      memoryMiB: 1024,
      diskGiB: 4,
      port: 24999,
    };
    expect(JSON.parse(out[0] ?? '')).toEqual({ version: 1, builders: [builder] });
    const [heads = '', line = '', ...more] = (await command(rig, 'list')).out;
    expect(more).toEqual([]);
    expect(heads).toMatch(/^DIRECTORY +PHASE +SYSTEM +CPUS +MEMORY +DISK +DOOR +NIX$/);
    expect(line).toBe(
      `${rig.layout.root}  gone   x86_64-linux  1     1024 MiB  4 GiB  24999  registered`,
    );
  });

  test('whose builder was configured by another name, and one that Nix does not know', async () => {
    using rig = configureRig();
    await rig.run('-c', '1');
    const other = join(rig.tree, 'cache/other');
    await rig.runWith({}, '-d', other, '--no-root', '-c', '1', '--port', '24998');
    const env = { LINUXKIT_BUILDER_TREE: rig.tree };
    const { out } = await rig.anyWith(env, 'list', '--json', '-d', other);
    const { builders } = JSON.parse(out[0] ?? '') as { builders: { directory: string }[] };
    expect(builders.map(({ directory }) => directory)).toEqual([rig.layout.root]);
  });

  test('tells others what configure has told Nix and ssh', async () => {
    using rig = configureRig();
    await rig.run('-c', '1');
    expect((await command(rig, 'machines')).out.join('\n')).toBe(
      rig.read(rig.layout.machines).trimEnd(),
    );
    expect((await command(rig, 'ssh-config')).out.join('\n')).toBe(
      rig.read(rig.layout.sshConfig).trimEnd(),
    );
  });
});

test('without a builder: says how to get one', async () => {
  using rig = configureRig();
  expect((await command(rig, 'list')).out.join('\n')).toContain('linuxkit-builder up');
  for (const name of ['machines', 'ssh-config'])
    expect((await command(rig, name)).failure).toMatchObject({ kind: 'not-configured', exit: 78 });
});
