import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bundleAt, bundleFiles } from '../../src/vm/boot-image.ts';
import { BuilderRig, testImage } from './rig.ts';

// Behaviour 149: A new image is booted at the next start. If its guest does not become ready, the last image whose
// guest did is used instead, and `status` says why.
// Behaviour 150: If an older image is used in place of a new one, this lasts until `image build` or `image update`
// succeeds, an automatic update makes another image, or `disk reset` or `verdicts --clear` gives the new one another
// chance.
test('a new image is taken at the next start; one that does not get ready is set aside for the one before', async (context) => {
  await using rig = await BuilderRig.create({ context });
  expect((await rig.cli('configure', '--no-root', '--reset', 'bundle')).end).toBe(0);
  install(rig, (cmdline) => cmdline);
  await rig.up();
  await rig.logged('image-kept');
  const good = readdirSync(rig.layout.images).filter((name) => name.startsWith('good-'));
  expect(good).toHaveLength(5);

  // Its kernel finds no first program.
  install(rig, (cmdline) => `${cmdline} rdinit=/nowhere init=/nowhere`);
  expect(rig.status()?.phase).toBe('ready');
  expect((await rig.cli('restart')).end).toBe(0);
  await rig.reaches('ready');
  const fallen = await rig.untilStatus(
    'ready again',
    ({ image, phase }) => phase === 'ready' && image?.instead !== undefined,
  );
  expect(fallen.image?.prefix).toBe(join(rig.layout.images, 'good'));
  expect(fallen.image?.instead?.message).toBeTruthy();
  expect(fallen.last?.kind).toBe('image-rejected');
  const screen = (await rig.cli('status')).stdout.replaceAll(/\s+/g, ' ');
  expect(screen).toContain('because the newest image failed to boot');
  expect(screen).toContain(
    'The new image did not become ready, so the previous one is used again.',
  );
  const dry = await rig.cli('daemon', '--dry-run');
  expect(dry.stdout).toContain(`# boots the image ${rig.layout.images}/good\n`);

  // What looks like a root on the data disk is none: the next start takes the host's.
  const forge =
    'head -c 96 /dev/vdb >/run/forged && dd if=/run/forged of=/dev/vda conv=notrunc,fsync';
  expect((await rig.cli('ssh', '--root', '--', forge)).end).toBe(0);

  // It stays so, also for another daemon, which wastes no start on it.
  expect((await rig.cli('stop')).end).toBe(0);
  const before = rig.phases().length;
  await rig.up();
  expect(rig.status()?.image?.instead).toEqual(fallen.image?.instead);
  expect(rig.phases().slice(before)).toEqual(['starting', 'booting', 'ready']);

  // A better one is tried, and is good from then on.
  install(rig, (cmdline) => `${cmdline} better=1`);
  expect((await rig.cli('restart')).end).toBe(0);
  const mended = await rig.untilStatus(
    'ready with the new one',
    ({ image, phase }) => phase === 'ready' && image?.instead === undefined,
  );
  expect(mended.image?.prefix).toBe(join(rig.layout.images, 'builder'));
  expect((await rig.cli('ssh', '--', 'cat /proc/cmdline')).stdout).toContain('better=1');
  expect((await rig.cli('stop')).end).toBe(0);
  await rig.leavesNothing();
});

/** Puts an image where `image build` puts one, as it does it: new files under the names. */
function install(rig: BuilderRig, change: (cmdline: string) => string): void {
  const [from, to] = [bundleAt(testImage()), bundleAt(join(rig.layout.images, 'builder'))];
  mkdirSync(rig.layout.images, { recursive: true });
  for (const part of bundleFiles) {
    rmSync(to[part], { force: true });
    copyFileSync(from[part], to[part]);
  }
  const text = `${change(readFileSync(from.cmdline, 'utf8').trim())}\n`;
  const manifest = JSON.parse(readFileSync(from.manifest, 'utf8')) as {
    files: { cmdline: { sha256: string; size: number } };
  };
  const sha256 = createHash('sha256').update(text).digest('hex');
  manifest.files.cmdline = { sha256, size: Buffer.byteLength(text) };
  writeFileSync(to.cmdline, text);
  writeFileSync(to.manifest, JSON.stringify(manifest));
}
