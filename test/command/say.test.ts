import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { isDeclaredElsewhere } from '../../src/command/context.ts';
import { withDirectory } from '../../src/command/say.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { systemClock } from '../../src/system/time/clock.ts';

describe('a remedy for a builder in a place of its own', () => {
  const verbs = ['start', 'configure', 'image build', 'ssh', 'disk reset', 'keys renew'];
  const say = (line: string, directory = '/s') => withDirectory(line, { directory, verbs });

  test.each([
    ['Start it: linuxkit-builder start.', 'Start it: linuxkit-builder start -d /s.'],
    ['linuxkit-builder configure --port 1', 'linuxkit-builder configure -d /s --port 1'],
    [
      'linuxkit-builder image build, then linuxkit-builder start',
      'linuxkit-builder image build -d /s, then linuxkit-builder start -d /s',
    ],
    [
      'linuxkit-builder ssh --root -- nix-collect-garbage',
      'linuxkit-builder ssh -d /s --root -- nix-collect-garbage',
    ],
    // Without it these would be for another builder, whose disk goes.
    [
      'linuxkit-builder disk reset (the keys stay)',
      'linuxkit-builder disk reset -d /s (the keys stay)',
    ],
    ['linuxkit-builder keys renew', 'linuxkit-builder keys renew -d /s'],
  ])('%s', (line, told) => expect(say(line)).toBe(told));

  test.each([
    'linuxkit-builder starts',
    'linuxkit-builder start-up',
    'linuxkit-builder start -d /other',
    'linuxkit-builder completion zsh',
    'linuxkit-builder: It failed.',
    '/x/linuxkit-builder/start',
    'nothing',
  ])('%s is left as it is', (line) => expect(say(line)).toBe(line));

  test('can be pasted where the place has a space in its name', () =>
    expect(say('linuxkit-builder start', '/a b/ä')).toBe("linuxkit-builder start -d '/a b/ä'"));

  // Behaviour 201: A command that a message tells you to run can be pasted into a shell, whatever characters the paths in it
  // contain.
  test('can be pasted where the place has a quote in its name', () =>
    expect(say('linuxkit-builder start', "/it's")).toBe("linuxkit-builder start -d '/it'\\''s'"));

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
      [Symbol.dispose]: () => rmSync(dir, { recursive: true }),
    };
  }

  test('is for that builder, where its disk is to go', async () => {
    using there = rig();
    writeFileSync(there.layout.mark, '');
    writeFileSync(there.layout.disk, '');
    truncateSync(there.layout.disk, 4 * 1024 ** 3);
    await run(['configure', '-s', '3', '-d', there.state], there.world, '0');
    expect(there.said.join('\n')).toContain(`linuxkit-builder disk reset -d ${there.state}`);
  });

  test('is what every verb tells', async () => {
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
