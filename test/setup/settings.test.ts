import { describe, expect, test } from 'vitest';
import type { HostFacts } from '../../src/config/config.ts';
import { newSettings, type AskedSettings } from '../../src/setup/configure/new-settings.ts';

const host: HostFacts = {
  arch: 'arm64',
  platform: 'darwin',
  cpus: 8,
  memoryMiB: 16384,
  diskGiB: 500,
  diskFreeGiB: 200,
};
const GiB = 1024 ** 3;
const make = (asked: AskedSettings, existing?: string, diskBytes?: number) =>
  newSettings({ asked, existing, host, diskBytes });
const textOf = (made: ReturnType<typeof newSettings>) => (made.ok ? made.text : made.problems);
const paths = (made: ReturnType<typeof newSettings>) =>
  made.ok ? [] : made.problems.map(({ path }) => path);

describe('config.json', () => {
  test('holds what was chosen and nothing else', () => {
    expect(textOf(make({ cpus: 2, features: undefined }))).toBe('{\n  "cpus": 2\n}\n');
  });

  test('keeps other settings, and its own bytes when nothing changes', () => {
    const own = '{ "cpus":2,\n"holdSeconds": 60 }';
    expect(textOf(make({ cpus: 2 }, own))).toBe(own);
    expect(textOf(make({ cpus: 4 }, own))).toBe('{\n  "cpus": 4,\n  "holdSeconds": 60\n}\n');
  });

  test('takes a part of a setting, and keeps its other parts', () => {
    const own = '{"idle": {"how": "never"}}';
    expect(make({ idle: { after: '90 s' } }, own)).toMatchObject({
      config: { idle: { how: 'never', after: '90 s' } },
    });
    expect(textOf(make({ idle: { how: 'never' } }, own))).toBe(own);
    expect(paths(make({ idle: { after: '1 s' } }, own))).toEqual(['idle.after']);
  });

  test('tells every problem at once, and mends what is asked anew', () => {
    expect(paths(make({ cpus: 99, memoryMiB: 'much', port: 0 }))).toEqual([
      'memoryMiB',
      'port',
      'cpus',
    ]);
    expect(textOf(make({ cpus: 4 }, '{"cpus": 99}'))).toBe('{\n  "cpus": 4\n}\n');
  });

  test.each(['{', '[]', '7', '{"colour": 1}'])('that is not one is refused: %s', (existing) =>
    expect(make({}, existing).ok).toBe(false),
  );

  test('gives settings their defaults again', () => {
    const existing = '{"cpus": 4, "port": 24100}';
    const reset = (names: string[], asked: AskedSettings = {}) =>
      newSettings({ asked, reset: names, existing, host, diskBytes: undefined });
    expect(textOf(reset(['port']))).toBe('{\n  "cpus": 4\n}\n');
    expect(reset(['port'])).toMatchObject({ config: { port: 24083 } });
    expect(textOf(reset(['maxJobs']))).toBe(existing);
    expect(paths(reset(['colour']))).toEqual(['--reset']);
    expect(paths(reset(['cpus'], { cpus: 2 }))).toEqual(['--reset']);
    expect(
      paths(
        newSettings({
          asked: {},
          reset: ['cpus'],
          host,
          existing: '{"cpus": 99}',
          diskBytes: undefined,
        }),
      ),
    ).toEqual([]);
  });

  test('never makes the disk smaller', () => {
    expect(paths(make({ diskGiB: 40 }, undefined, 80 * GiB))).toEqual(['diskGiB']);
    expect(paths(make({}, undefined, 100 * GiB))).toEqual(['diskGiB']);
    expect(make({ diskGiB: 100 }, undefined, 100 * GiB).ok).toBe(true);
    expect(make({ diskGiB: 120 }, '{"diskGiB": 100}', 100 * GiB).ok).toBe(true);
    expect(paths(make({ diskGiB: 1, cpus: 0 }, undefined, 80 * GiB))).toEqual([
      'diskGiB',
      'cpus',
      'diskGiB',
    ]);
  });
});
