import { describe, expect, test } from 'vitest';
import { checkConfig, type Config, type ConfigFile } from '../../src/config/config.ts';
import { effectLines, effectsOf } from '../../src/setup/configure/effects.ts';
import { plainly } from '../../src/system/advice.ts';

const host = {
  arch: 'x64',
  platform: 'linux',
  cpus: 8,
  memoryMiB: 16384,
  diskGiB: 500,
  diskFreeGiB: 200,
} as const;
const config = (file: ConfigFile): Config => {
  const parsed = checkConfig(file, host);
  if (!parsed.ok) throw new Error('the settings are right');
  return parsed.config;
};
const before = config({ cpus: 2, maxJobs: 2 });

describe('a change of a running builder', () => {
  test('waits for the guest to start, and loses nothing', () => {
    const effects = effectsOf(before, config({ cpus: 4, maxJobs: 2, diskGiB: 100 }));
    expect(effects).toEqual({
      atOnce: [],
      atStart: [
        'diskGiB: 80 to 100',
        'cpus: 2 to 4',
        'features: benchmark,linuxkit-builder to big-parallel,benchmark,linuxkit-builder',
      ],
      isUrgent: false,
    });
    expect(effectLines(effects).map(plainly).join('\n')).toContain(effects.atStart.join('; '));
  });

  test('of the processor waits for the guest to start, too', () =>
    expect(effectsOf(before, { ...before, system: 'aarch64-linux' }).atStart).toEqual([
      'system: x86_64-linux to aarch64-linux',
    ]));

  test('of the port is urgent', () => {
    const effects = effectsOf(before, config({ cpus: 2, maxJobs: 2, port: 24999 }));
    expect(effects.isUrgent).toBe(true);
    expect(effectLines(effects)).toHaveLength(2);
  });

  test('of this machine alone acts at once', () => {
    const effects = effectsOf(before, config({ cpus: 2, maxJobs: 2, autostart: true }));
    expect(effects).toEqual({ atOnce: ['autostart: unset to true'], atStart: [], isUrgent: false });
  });

  test('is none where nothing changes, and at first', () => {
    expect(effectLines(effectsOf(before, before))).toEqual([]);
    expect(effectLines(effectsOf(undefined, before))).toEqual([]);
  });
});
