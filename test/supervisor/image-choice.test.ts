import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseConfig, type Config } from '../../src/config/config.ts';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import {
  chooseImage,
  forgetRejection,
  imageLesson,
  imageToBoot,
  isNewestGood,
  keepAsGood,
  readRejection,
  speaksAgainst,
  type ChosenImage,
  type Images,
} from '../../src/supervisor/start/image-choice.ts';
import { dropOld, refuseOld } from '../../src/supervisor/start/image-floor.ts';
import { floorsFor } from '../../src/vm/floors.ts';
import type { Failure } from '../../src/system/failure.ts';
import { hostFacts } from '../../src/system/host/host.ts';
import { bootId } from '../../src/system/process/process.ts';
import { keepVerdict } from '../../src/domain/verdicts.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { removeTree } from '../remove-tree.ts';

const at = '2026-01-01T00:00:00.000Z';
const failure = (kind: string, blames?: Failure['blames']): Failure => ({
  kind,
  message: 'It did not.',
  hint: 'h',
  exit: 69,
  ...(blames === undefined ? {} : { blames }),
});
const rejected = (image: string) => ({ image, at: '2026-01-01T00:00:00.000Z', message: 'no' });
const images = (newest?: string, good?: string, bad?: string): Images => ({
  newest,
  good,
  rejected: bad === undefined ? undefined : rejected(bad),
});

describe('which image is booted', () => {
  test.each([
    ['the only one', images('a'), 'newest'],
    ['a new one beside a good one', images('b', 'a'), 'newest'],
    ['the good one when the new one has failed', images('b', 'a', 'b'), 'good'],
    ['a newer one, whatever failed before it', images('c', 'a', 'b'), 'newest'],
    ['one that failed where there is no other', images('a', undefined, 'a'), 'newest'],
    ['one that failed once and was good before', images('a', 'a', 'a'), 'newest'],
    ['none: that is told', images(undefined, 'a', 'b'), 'newest'],
  ] as const)('%s', (_, found, use) => expect(imageToBoot(found)).toBe(use));
});

describe('what speaks against a new image', () => {
  test('what blames the image does, and nothing else', () => {
    const fresh = images('b', 'a');
    expect(speaksAgainst(failure('guest-panicked', 'image'), fresh)).toBe(true);
    expect(speaksAgainst(failure('child-lock-held', 'leftover'), fresh)).toBe(false);
    expect(speaksAgainst(failure('guest-disk-broken'), fresh)).toBe(false);
  });

  test.each([
    ['there is no other', images('b')],
    ['it was good before', images('b', 'b')],
    ['the good one is booted already', images('b', 'a', 'b')],
  ])('nothing does where %s', (_, found) =>
    expect(speaksAgainst(failure('guest-panicked', 'image'), found)).toBe(false),
  );
});

describe('images on the disk', () => {
  let layout: Layout;
  let config: Config;
  const clock = new FakeClock();
  const where = () => ({ layout, clock, signal: new AbortController().signal });
  /** As `image build` leaves one: new files under the old names. */
  const install = (content: string) => {
    for (const part of ['kernel', 'vmlinux', 'initrd.img', 'cmdline', 'manifest.json']) {
      rmSync(join(layout.images, `builder-${part}`), { force: true });
      writeFileSync(join(layout.images, `builder-${part}`), content);
    }
  };
  /** Whether it is kept as a good one that was none before. */
  const keeps = async (image: ChosenImage) => {
    const told: string[] = [];
    await keepAsGood(image, where(), (_level, event) => void told.push(event));
    return told.includes('image-kept');
  };
  const booted = () => readFileSync(`${chooseImage(config, layout).prefix}-kernel`, 'utf8');
  const lose = (kind: string, blames?: 'image') => {
    const lesson = imageLesson(failure(kind, blames), chooseImage(config, layout), at);
    if (lesson.verdict !== undefined) keepVerdict(lesson.verdict, layout.verdicts);
    return lesson;
  };
  beforeEach(() => {
    layout = layoutOf(mkdtempSync(join(tmpdir(), 'images-')));
    mkdirSync(layout.images);
    mkdirSync(layout.state);
    const parsed = parseConfig('{}', hostFacts('/'));
    if (!parsed.ok) throw new Error('the defaults are no config');
    ({ config } = parsed);
  });
  afterEach(() => removeTree(layout.root));

  // Behaviour 149: A new image is booted at the next start. If its guest does not become ready, the last image whose
  // guest did is used instead, and `status` says why.
  // Behaviour 150: If an older image is used in place of a new one, this lasts until `image build` or `image update`
  // succeeds, an automatic update makes another image, or `disk reset` or `verdicts --clear` gives the new one
  // another chance.
  test('the last good one is kept, used when a new one fails, and left for the next', async () => {
    install('one');
    expect(lose('guest-panicked', 'image')).toMatchObject({ failure: { kind: 'guest-panicked' } });
    expect(isNewestGood(layout, config.system)).toBe(false);
    expect(await keeps(chooseImage(config, layout))).toBe(true);
    expect(isNewestGood(layout, config.system)).toBe(true);
    expect(await keeps(chooseImage(config, layout))).toBe(false);
    install('two');
    expect(isNewestGood(layout, config.system)).toBe(false);
    expect(booted()).toBe('two');
    expect(lose('program-missing')).toMatchObject({ failure: { kind: 'program-missing' } });
    expect(booted()).toBe('two');
    expect(lose('boot-timed-out', 'image')).toMatchObject({
      failure: {
        kind: 'image-rejected',
        message: expect.stringContaining('It did not.') as string,
      },
    });
    expect(readRejection(layout)).toMatchObject({ message: 'It did not.' });
    expect(booted()).toBe('one');
    // That it gets ready makes nothing of the newest one.
    expect(await keeps(chooseImage(config, layout))).toBe(false);
    install('three');
    expect(booted()).toBe('three');
    expect(await keeps(chooseImage(config, layout))).toBe(true);
    expect(readdirSync(layout.images)).toHaveLength(10);
    for (const part of ['kernel', 'vmlinux'])
      expect(readFileSync(join(layout.images, `good-${part}`), 'utf8')).toBe('three');
    // One without an unpacked kernel leaves none of the image before.
    install('four');
    rmSync(join(layout.images, 'builder-vmlinux'));
    expect(await keeps(chooseImage(config, layout))).toBe(true);
    expect(existsSync(join(layout.images, 'good-vmlinux'))).toBe(false);
  });

  // Behaviour 152: An image that this program made is not started if packages in it are below the lowest acceptable
  // versions, and the daemon does not fall back to such an image. There is one exception: the image that
  // `acceptOldImage` names is started, and `status` says so.
  test('one below its floors is neither booted, kept, nor fallen back to', async () => {
    const packages = Object.fromEntries(
      floorsFor('amd64').map((floor) => [floor.package, floor.version]),
    );
    const manifest = (nix: string, indexDate: string) =>
      JSON.stringify({
        arch: 'amd64',
        kernelVersion: '6',
        inputs: {},
        suite: 's',
        indexDate,
        packages: { ...packages, 'nix-bin': nix },
        squashfs: { tool: 't', version: '1', options: [] },
        files: Object.fromEntries(
          ['kernel', 'initrd', 'cmdline'].map((part) => [part, { sha256: '', size: 1 }]),
        ),
      });
    install(manifest('2.34.5', '2026-11-28T01:02:03.000Z'));
    expect(chooseImage(config, layout).old).toBeUndefined();
    expect(await keeps(chooseImage(config, layout))).toBe(true);

    install(manifest('2.34.4', '2026-09-12T07:55:41.000Z'));
    const { old } = chooseImage(config, layout);
    expect(old?.version).toBe('20260912T075541Z');
    expect(old?.why).toMatch(/2\.34\.4 .* 2\.34\.5/);
    expect(() => refuseOld(old, config)).toThrow('2.34.4');
    expect(() => refuseOld(old, { ...config, acceptOldImage: '20260912T075542Z' })).toThrow();
    const accepting = { ...config, acceptOldImage: '20260912T075541Z' };
    expect(() => refuseOld(old, accepting)).not.toThrow();
    expect(await keeps(chooseImage(accepting, layout))).toBe(false);

    // As the release before has kept it.
    for (const part of ['kernel', 'vmlinux', 'initrd.img', 'cmdline', 'manifest.json'])
      copyFileSync(join(layout.images, `builder-${part}`), join(layout.images, `good-${part}`));
    install(manifest('2.34.6', '2026-11-29T01:02:03.000Z'));
    expect(lose('guest-panicked', 'image')).toMatchObject({ failure: { kind: 'guest-panicked' } });
    expect(dropOld(join(layout.images, 'good'))).toBe(true);
    expect(readdirSync(layout.images).filter((name) => name.startsWith('good-'))).toEqual([]);
    expect(dropOld(join(layout.images, 'good'))).toBe(false);
    expect(dropOld(join(layout.images, 'builder'))).toBe(false);
  });

  test('what is held against it survives a boot of the host, and the release before this one', async () => {
    install('one');
    await keeps(chooseImage(config, layout));
    install('two');
    lose('guest-panicked', 'image');
    const text = readFileSync(layout.verdicts, 'utf8');
    writeFileSync(layout.verdicts, text.replace(bootId(), '00000000'));
    expect(booted()).toBe('one');
    const image = readRejection(layout)?.image;
    forgetRejection(layout);
    expect(booted()).toBe('two');
    writeFileSync(layout.imageRejected, JSON.stringify({ image, at, message: 'It did not.' }));
    expect(booted()).toBe('one');
    forgetRejection(layout);
    expect(booted()).toBe('two');
  });

  test('one that was made while another booted is not taken for good', async () => {
    install('one');
    const image = chooseImage(config, layout);
    install('two');
    expect(await keeps(image)).toBe(false);
    expect(readdirSync(layout.images)).toHaveLength(5);
  });

  test("a bundle of somebody's own is used as it is", async () => {
    config = { ...config, bundle: '/theirs' };
    const image = chooseImage(config, layout);
    expect(image).toEqual({ prefix: '/theirs' });
    expect(await keeps(image)).toBe(false);
  });

  test.each(['', '{', '[]', '{"image": 7}'])(
    'a record that holds %j counts for nothing',
    (text) => {
      writeFileSync(layout.imageRejected, text);
      expect(readRejection(layout)).toBeUndefined();
    },
  );
});
