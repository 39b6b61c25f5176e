import { describe, expect, test } from 'vitest';
import { hides, settingOf } from '../../src/nix/conf.ts';

const setting = (files: Record<string, string>) =>
  settingOf('builders', '/etc/nix/nix.conf', (path) => files[path])?.value;
const machines = '/etc/nix/machines';

describe('builders in nix.conf', () => {
  test.each([
    ['builders = a\u00a0b\n', 'a\u00a0b', true],
    ['\ufeffbuilders = a\n', undefined, false],
    ['builders\t=\ta\tb   c \r\n', 'a b c', true],
    ['# old:\u2028builders = a\n', undefined, false],
    ['', undefined, false],
    ['cores = 4\n# builders = x\n', undefined, false],
    ['builders = @/etc/nix/machines\n', '@/etc/nix/machines', false],
    ['builders = ssh://a ; @/etc/nix/machines\n', 'ssh://a ; @/etc/nix/machines', false],
    ['builders =\n', '', true],
    ['builders = ssh://a\n', 'ssh://a', true],
    ['builders = @/etc/nix/machines\nbuilders = ssh://b # last wins\n', 'ssh://b', true],
  ])('%j', (text, value, hidden) => {
    expect(setting({ '/etc/nix/nix.conf': text })).toBe(value);
    expect(hides(value, machines)).toBe(hidden);
  });

  test('is followed into included files, where they stand', () => {
    const files = {
      '/etc/nix/nix.conf': 'builders = a\n!include nix.custom.conf\n!include missing\n',
      '/etc/nix/nix.custom.conf': 'include nix.conf\nbuilders = b\n',
    };
    expect(setting(files)).toBe('b');
  });
});

test('an older name of a setting counts as the newer does, the last of both', () => {
  const jobs = (text: string) => settingOf('max-jobs', '/nix.conf', () => text)?.value;
  expect(jobs('build-max-jobs = 0\n')).toBe('0');
  expect(jobs('build-max-jobs = 0\nmax-jobs = 2\n')).toBe('2');
  expect(jobs('max-jobs = 2\nbuild-max-jobs = 0\n')).toBe('0');
});
