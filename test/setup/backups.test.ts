import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { configureRig } from './configure-rig.ts';
import { needs } from '../needs.ts';
import { nothingToChange } from '../../src/setup/configure/configure.ts';
import { removeTree } from '../remove-tree.ts';

// Root's part needs root's rights.

describe('Time Machine', needs('root'), () => {
  /** With a tmutil that keeps its calls, and then does this. */
  function rigWith(body: string) {
    const rig = configureRig();
    const tmutil = join(rig.tree, 'bin/tmutil');
    mkdirSync(dirname(tmutil));
    writeFileSync(tmutil, `#!/bin/sh\necho "$*" >>"$0.calls"\n${body}\n`);
    chmodSync(tmutil, 0o755);
    const env = {
      PATH: `${dirname(tmutil)}:${process.env['PATH'] ?? ''}`,
      LINUXKIT_BUILDER_TREE: rig.tree,
    };
    return {
      rig,
      run: (command: string, ...argv: string[]) =>
        rig.anyWith(env, command, '-d', rig.layout.root, ...argv),
      calls: () => readFileSync(`${tmutil}.calls`, 'utf8').trim().split('\n'),
      [Symbol.dispose]: () => rig[Symbol.dispose](),
    };
  }

  test('is told once to leave the disk out, and by unconfigure to take it in', async () => {
    using world = rigWith('exit 0');
    const { root } = world.rig.layout;
    const { out } = await world.run('configure');
    expect(out).toContain(`Excluded ${root} from Time Machine backups`);
    expect((await world.run('configure')).out).toEqual([nothingToChange]);
    const undone = await world.run('unconfigure');
    expect(undone.failure).toBeUndefined();
    expect(undone.out).toContain(`Included ${root} in Time Machine backups again`);
    expect(world.calls()).toEqual([`addexclusion ${root}`, `removeexclusion ${root}`]);
    removeTree(root);
  });

  test('that refuses is told of, and stops nothing', async () => {
    using world = rigWith('echo "no disk" >&2; exit 1');
    const { err, failure } = await world.run('configure');
    expect(failure).toBeUndefined();
    expect(err.join('\n')).toContain('from Time Machine backups: no disk');
    expect((await world.run('unconfigure')).out.join('\n')).not.toContain('Time Machine');
  });
});
