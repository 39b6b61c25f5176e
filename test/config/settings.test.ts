/** The table of the settings: what is made from it says what it says. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { askedIn, byFlag, settingNamed } from '../../src/setup/configure/request.ts';
import { configureCommand } from '../../src/cli/setup/configure-command.ts';
import type { CliContext } from '../../src/command/context.ts';
import { changesBetween, waitsForStart } from '../../src/config/config-changes.ts';
import { parseConfig } from '../../src/config/config.ts';
import { settingRows } from '../../src/config/settings.ts';
import { statusOf } from '../../src/supervisor/status/status-of.ts';
import { hostFacts } from '../../src/system/host/host.ts';

const root = join(import.meta.dirname, '../..');
const parsed = parseConfig('{"extraSystems": ["i686-linux"]}', hostFacts('/'));
if (!parsed.ok) throw new Error('that is no config');
const { config } = parsed;

test('what is made by scripts/generate.js is as it makes it', () => {
  const argv = [join(root, 'scripts/generate.js'), '--check'];
  expect(execFileSync(process.execPath, argv, { encoding: 'utf8' })).toBe('');
}, 30_000);

test('configure has every flag, in the order of the table, and each is described', () => {
  const command = new Command();
  configureCommand(command, {} as CliContext);
  const has = command.options.map(({ flags, description }) => [flags, description]);
  const all = settingRows.flatMap(([, { flags = [] }]) =>
    flags.map((flag) => [flag.flags, flag.help]),
  );
  expect(all.length).toBeGreaterThan(20);
  expect(has.slice(0, all.length)).toEqual(all);
});

test.each(settingRows)(
  '%s has a row of the page for each of its values',
  (_name, { flags = [], page }) => {
    const parts = flags.filter(({ part }) => part !== undefined);
    expect(page).toHaveLength(Math.max(1, parts.length));
  },
);

test('status shows what the table says', () => {
  const daemon = { pid: 7, started: '1', boot: 'b', program: 'node' };
  const { builder } = statusOf({
    state: { phase: 'stopped', since: 0 },
    facts: {},
    daemon,
    problems: [],
    config,
    runs: undefined,
    door: undefined,
  });
  const shown = settingRows.flatMap(([name, { isShown }]) => (isShown === true ? [name] : []));
  expect(Object.keys(builder ?? {}).sort()).toEqual(shown.sort());
});

test('what waits for a start of the guest', () => {
  const now = { ...config, idle: { ...config.idle, after: '9 min' }, cpus: config.cpus + 1 };
  expect(
    changesBetween(config, now)
      .map((each) => [each.name, waitsForStart(each)])
      .sort(),
  ).toEqual([
    ['cpus', true],
    ['idle', false],
  ]);
});

test('what was asked for is read by the rows', () => {
  const asked = askedIn({
    cpus: '4',
    memory: 'much',
    features: 'kvm, benchmark',
    bundle: 'b',
    keepAwake: false,
    autostart: 'boot',
    system: true,
    idleAfter: '9 min',
    quiet: true,
  });
  expect(asked).toEqual({
    cpus: 4,
    memoryMiB: 'much',
    features: ['kvm', 'benchmark'],
    bundle: join(process.cwd(), 'b'),
    keepAwake: false,
    autostart: 'boot',
    idle: { after: '9 min' },
  });
  const named = (path: string) => byFlag({ path, value: 0, message: '', hint: '' }, asked).path;
  expect([named('memoryMiB'), named('idle.after'), named('features.0'), named('port')]).toEqual([
    '--memory',
    '--idle-after',
    '--features',
    'port',
  ]);
  expect([settingNamed('disk'), settingNamed('idle-after'), settingNamed('x')]).toEqual([
    'diskGiB',
    'idle',
    'x',
  ]);
});
