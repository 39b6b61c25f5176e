import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { publishSmall } from './fake-image.ts';
import { FakeMirror, fakeKey } from './fake-mirror.ts';
import type { BuiltProgram } from './program.ts';

/** A mirror with all that the real recipe asks for, small, which that program believes; it has no lock yet. */
export async function mirrorOf({ folder }: BuiltProgram, kernel: string): Promise<FakeMirror> {
  const image = join(folder, 'src/image');
  const key = await fakeKey({ date: new Date('2020-01-01') });
  mkdirSync(join(image, 'keyring'), { recursive: true });
  writeFileSync(join(image, 'keyring/test.asc'), key.armored);
  symlinkSync(join(import.meta.dirname, '../../src/image/rootfs'), join(image, 'rootfs'));
  // The sources are there: a checkout.
  writeFileSync(join(image, 'recipe.ts'), '');
  const mirror = await FakeMirror.start(key);
  await publishSmall(mirror, kernel);
  return mirror;
}
