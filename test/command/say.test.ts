import { mkdirSync, mkdtempSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { isDeclaredElsewhere } from '../../src/command/context.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { commands } from '../../src/system/advice.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { removeTree } from '../remove-tree.ts';

describe('a remedy for a builder in a place of its own', () => {
  test('names a user in quotes where the name needs them', () => {
    const owner = { name: 'CORP\\jane doe', uid: 1, directory: '/s' };
    const { hint } = isDeclaredElsewhere({ owner } as Parameters<typeof isDeclaredElsewhere>[0]);
    expect(hint).toContain("sudo -u 'CORP\\jane doe' linuxkit-builder");
  });

  /** A builder in a place of its own, and what is said of it. */
  function rig() {
    const dir = mkdtempSync(join(tmpdir(), 'say-'));
    const said: string[] = [];
    const state = join(dir, 's');
    mkdirSync(join(state, 'nix-state'), { recursive: true, mode: 0o700 });
    writeFileSync(join(state, 'config.json'), '{}');
    return {
      state,
      said,
      layout: layoutOf(state),
      world: {
        env: { LINUXKIT_BUILDER_TREE: dir },
        home: dir,
        assets: dir,
        isTTY: false,
        clock: systemClock,
        signal: new AbortController().signal,
        onStopSignal: () => undefined,
        out: (line: string) => void said.push(line),
        err: (line: string) => void said.push(line),
      },
      [Symbol.dispose]: () => removeTree(dir),
    };
  }

  test('names each command that takes -d, and no other', async () => {
    using there = rig();
    const { said, world } = there;
    const helpOf = async (words: readonly string[]) => {
      said.length = 0;
      await run([...words, '--help'], world, '0');
      return said.join('\n');
    };
    const below = (help: string) =>
      [...help.matchAll(/^ {2}([a-z-]+)(?:[ |].*)? {2}/gm)]
        .map(([, name = '']) => name)
        .filter((name) => name !== 'help');
    const found: string[] = [];
    const visit = async (words: readonly string[]): Promise<void> => {
      const help = await helpOf(words);
      if (help.includes('--directory <')) found.push(words.join(' '));
      else if (/^Usage: .* \[command\]$/m.test(help))
        for (const name of below(help)) await visit([...words, name]);
    };
    await visit([]);
    expect(found.sort()).toEqual([...commands]);
  });

  test('is for that builder, where its disk is to go', async () => {
    using there = rig();
    writeFileSync(there.layout.mark, '');
    writeFileSync(there.layout.disk, '');
    truncateSync(there.layout.disk, 4 * 1024 ** 3);
    await run(['configure', '-s', '3', '-d', there.state], there.world, '0');
    expect(there.said.join('\n')).toContain(`linuxkit-builder disk reset -d ${there.state}`);
  });

  test('is what every command tells', async () => {
    using there = rig();
    const { state, said, world } = there;
    await run(['status', '-d', state], world, '0');
    await run(['logs', '-d', state], world, '0');
    await run(['status'], world, '0');
    await run(['status', '-d', state, '--json'], world, '0');
    expect(said).toEqual([
      'The daemon is not running.',
      `  Start it: linuxkit-builder start -d ${state}`,
      expect.stringContaining(`linuxkit-builder: ${state}/nix-state/daemon.log `),
      `  Start it: linuxkit-builder start -d ${state}`,
      expect.stringContaining('No builder has been set up'),
      '  Set it up: linuxkit-builder up',
      '{"running":false}',
    ]);
  });
});
