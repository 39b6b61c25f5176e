import { mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildImage } from '../../src/image/build.ts';
import { readLock } from '../../src/image/image-lock.ts';
import { findMirror } from '../../src/image/mirror/mirror.ts';
import { findSecurityMirror } from '../../src/image/mirror/security-mirror.ts';
import { recipe } from '../../src/image/recipe.ts';
import { readKeyring } from '../../src/image/debian/signature.ts';
import { bundleAt, checkBootImage } from '../../src/vm/boot-image.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { removeTree } from '../remove-tree.ts';

const source = join(import.meta.dirname, '../../src/image');

test('two builds of the real image, in two directories, are the same to the byte', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'real-image-'));
  const mirror = findMirror(undefined);
  const mirrors = { main: mirror.url, security: findSecurityMirror(undefined, mirror).url };
  try {
    const build = async (name: string, nowMs: number) => {
      const started = systemClock.monotonic();
      const prefix = join(directory, name, 'builder');
      const built = await buildImage({
        mirrors,
        keyring: readKeyring(join(source, 'keyring')),
        directory: join(directory, 'downloads'),
        clock: { ...systemClock, now: () => nowMs },
        onWarning: (line) => console.warn(line),
        onStep: () => undefined,
        arch: 'amd64',
        lock: readLock(join(source, 'lock.json')),
        recipe,
        rootfs: join(source, 'rootfs'),
        prefix,
        alone: (work) => Promise.resolve(work()),
      });
      checkBootImage(bundleAt(prefix), { full: true });
      return { ...built, seconds: (systemClock.monotonic() - started) / 1000 };
    };
    await build('one', Date.now());
    const warm = await build('two', Date.now() + 400 * 24 * 3600 * 1000);
    expect(warm.fresh).toBe(true);
    // An emulated guest boots a third sooner by it.
    expect(warm.manifest.files.unpacked?.size).toBeGreaterThan(0);
    for (const name of readdirSync(join(directory, 'one')))
      expect(
        readFileSync(join(directory, 'one', name)).equals(
          readFileSync(join(directory, 'two', name)),
        ),
        name,
      ).toBe(true);
    console.info(`image build with a warm cache: ${warm.seconds.toFixed(1)} s`);
  } finally {
    removeTree(directory);
  }
});
