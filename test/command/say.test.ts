import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from '../../src/cli/program.ts';
import { withDirectory } from '../../src/command/say.ts';
import { systemClock } from '../../src/system/time/clock.ts';

describe('a remedy for a builder in a place of its own', () => {
  const verbs = ['start', 'configure', 'image build', 'ssh'];
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

  test('is what every verb tells', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'say-'));
    const said: string[] = [];
    const world = {
      env: {},
      home: dir,
      assets: dir,
      isTTY: false,
      clock: systemClock,
      signal: new AbortController().signal,
      onStopSignal: () => undefined,
      out: (line: string) => void said.push(line),
      err: (line: string) => void said.push(line),
    };
    const state = join(dir, 's');
    mkdirSync(state, { mode: 0o700 });
    writeFileSync(join(state, 'config.json'), '{}');
    await run(['status', '-d', state], world, '0');
    await run(['logs', '-d', state], world, '0');
    await run(['status'], world, '0');
    await run(['status', '-d', state, '--json'], world, '0');
    rmSync(dir, { recursive: true });
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
