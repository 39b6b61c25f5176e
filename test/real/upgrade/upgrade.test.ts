/** A builder of the release before, and then this program. What a person sees is looked at here, and not how it is done. */
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { runWorld, type Found } from '../private-world.ts';
import { needs } from '../../needs.ts';

const checkout = resolve(import.meta.dirname, '../../..');
/** Its program and its image, made by scripts/test; the only one there is where it is not named. */
const release = process.env['LINUXKIT_TEST_RELEASE'] ?? onlyRelease();
const program = join(release, 'program');
const image = join(release, 'image/builder');
const kernel = /^Linux version \S+ .*Debian/;

describe('a builder of the release before', needs('root', 'Linux'), () => {
  let found: Found;
  const fact = (name: string) => found.facts.get(name);
  beforeAll(async () => {
    for (const path of [join(program, 'dist/main.js'), `${image}-kernel`])
      if (!existsSync(path))
        throw new Error(`There is no ${path}. Make it: scripts/test setup image`);
    const script = join(import.meta.dirname, 'world.sh');
    const words = [checkout, process.execPath, program, image];
    found = await runWorld(script, (port) => [...words, port], undefined, 390_000);
  }, 400_000);

  test('has built with it', () => expect(fact('by-the-old'), found.all).toMatch(kernel));

  // Behaviour 208: After an upgrade, builds keep working, or `status` names the one command that is needed. The disk
  // stays as it was.
  test('builds on under its old daemon, which this program knows', () => {
    expect(fact('under-the-old'), found.all).toMatch(kernel);
    expect(JSON.parse(fact('status-of-the-old') ?? '{}'), found.all).toMatchObject({
      running: true,
    });
  });
  test('builds on under a new daemon, with what it had on its disk', () => {
    expect(fact('by-the-new'), found.all).toMatch(kernel);
    expect(fact('kept'), found.all).toBe('yes');
  });
  test('is well after that', () => {
    const { findings } = JSON.parse(fact('doctor') ?? '{}') as {
      findings: { name: string; kind: string }[];
    };
    expect(
      findings.filter(({ kind }) => kind === 'bad'),
      found.all,
    ).toEqual([]);
  });

  // Behaviour 187: `unconfigure` also restores, byte for byte, what an earlier version changed.
  test.each(['undone', 'undone-after-configure', 'given-back'])(
    'gives every file back: %s',
    (name) => expect(fact(name), found.all).toBe('yes'),
  );
  test.each(['purged', 'nothing-left'])('leaves nothing after --purge: %s', (name) =>
    expect(fact(name), found.all).toBe('yes'),
  );
});

function onlyRelease(): string {
  const releases = join(checkout, '.cache/release');
  return join(releases, existsSync(releases) ? (readdirSync(releases)[0] ?? '') : '');
}
