/** What a job that somebody else declared says of its daemon. */
import { expect, test } from 'vitest';
import { build } from 'plist';
import { declaredIn, type ServiceKind } from '../../src/service/declared-job.ts';
import { unitWord } from '../../src/service/systemd/systemd-unit.ts';

const environment = (directory: string) => ({
  LINUXKIT_BUILDER_DECLARED_BY: 'a "person" & <others>',
  LINUXKIT_BUILDER_DIR: directory,
});
const texts: Readonly<Record<ServiceKind, (directory: string) => string>> = {
  launchd: (directory) => build({ EnvironmentVariables: environment(directory) }),
  systemd: (directory) =>
    Object.entries(environment(directory))
      .map(([name, value]) => `Environment=${unitWord(`${name}=${value}`, false)}\n`)
      .join(''),
};

test.each(['launchd', 'systemd'] as const)('%s: its words are read as they are meant', (kind) => {
  for (const directory of [
    '/var/lib/plain',
    '/Jörg & "Söhne" <1>/100%',
    "/O'N $HOME/%%/a\\b\\\\c",
  ]) {
    const place = { kind, scope: 'system', path: '/p' } as const;
    expect(declaredIn(texts[kind](directory), place)).toEqual({
      ...place,
      by: 'a "person" & <others>',
      directory,
    });
  }
});

test('launchd: what stands in a comment is not said', () => {
  const place = { kind: 'launchd', scope: 'system', path: '/p' } as const;
  const old = '<!-- <key>LINUXKIT_BUILDER_DIR</key><string>/old</string> -->';
  const text = texts.launchd('/new').replace('<plist ', `${old}<plist `);
  expect(declaredIn(text, place)?.directory).toBe('/new');
});

test('a word of a unit needs no quotes', () => {
  const place = { kind: 'systemd', scope: 'user', path: '/p' } as const;
  const text = '[Service]\nEnvironment=LINUXKIT_BUILDER_DIR=/home/ann/100%%\nType=exec\n';
  expect(declaredIn(text, place)?.directory).toBe('/home/ann/100%');
});
