import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sha256OfFile } from '../../src/system/digest.ts';
import { bundleAt, checkBootImage, partsOf, readManifest } from '../../src/vm/boot-image.ts';
import { fakeKernel } from '../fakes/fake-image.ts';
import { removeTree } from '../remove-tree.ts';

let directory = '';
const bundle = () => bundleAt(join(directory, 'linux'));
const check = (full = false) => checkBootImage(bundle(), { full });
const failsAs = (kind: string) =>
  expect.objectContaining({ failure: expect.objectContaining({ kind }) as object }) as Error;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bundle-'));
  writeFileSync(bundle().kernel, fakeKernel('6.1'));
  writeFileSync(bundle().initrd, gzipSync('initrd'));
  writeFileSync(bundle().cmdline, 'quiet console=ttyS0\n');
});
afterEach(() => removeTree(directory));

const writeManifest = () => {
  const { kernel, initrd, cmdline, manifest } = bundle();
  const file = (path: string, size: number) => ({ sha256: sha256OfFile(path), size });
  writeFileSync(
    manifest,
    JSON.stringify({
      arch: 'amd64',
      kernelVersion: '6.1',
      inputs: { lock: 'x' },
      suite: 'trixie',
      indexDate: '2026-01-02T03:04:05.000Z',
      squashfs: { tool: 'mksquashfs', version: '4.5.1', options: [] },
      packages: { a: '1' },
      files: {
        kernel: file(kernel, 0x300),
        initrd: file(initrd, gzipSync('initrd').length),
        cmdline: file(cmdline, 20),
      },
    }),
  );
};

test('a triple of somebody else is taken without a manifest', () => {
  expect(() => check(true)).not.toThrow();
  expect(readManifest(bundle())).toBeUndefined();
});

test('an image of ours is compared with its manifest', () => {
  writeManifest();
  expect(() => check(true)).not.toThrow();
  expect(readManifest(bundle())).toMatchObject({ arch: 'amd64', packages: { a: '1' } });
});

test('the unpacked kernel of an image is compared as well', () => {
  writeManifest();
  const { manifest, unpacked } = bundle();
  const json = JSON.parse(readFileSync(manifest, 'utf8')) as { files: object };
  writeFileSync(unpacked, 'plain');
  const files = { ...json.files, unpacked: { sha256: sha256OfFile(unpacked), size: 5 } };
  writeFileSync(manifest, JSON.stringify({ ...json, files }));
  expect(() => check(true)).not.toThrow();
  writeFileSync(unpacked, 'other');
  expect(() => check()).not.toThrow();
  expect(() => check(true)).toThrow(failsAs('image-wrong-hash'));
  writeFileSync(unpacked, 'pla');
  expect(() => check()).toThrow(failsAs('image-truncated'));
  expect(partsOf(bundle(), { bootsParts: true }).isUnpacked).toBe(true);
  rmSync(unpacked);
  expect(() => check(true)).not.toThrow();
  expect(partsOf(bundle(), { bootsParts: true }).isUnpacked).toBe(false);
});

describe('kernels and initrds are known by their first bytes:', () => {
  const arm = Buffer.alloc(64);
  arm.write('ARM\x64', 56, 'latin1');
  test.each([
    ['x86', fakeKernel('x')],
    ['arm64', arm],
    ['arm64, compressed', gzipSync(arm)],
    ['EFI zboot', Buffer.from('MZ\0\0zimg')],
  ])('kernel for %s', (_, kernel) => {
    writeFileSync(bundle().kernel, kernel);
    expect(() => check()).not.toThrow();
  });
  test.each([
    ['x86_64-linux', fakeKernel('x'), 'aarch64-linux'],
    ['aarch64-linux', arm, 'x86_64-linux'],
  ] as const)('a kernel for %s is none for another system', (system, kernel, other) => {
    writeFileSync(bundle().kernel, kernel);
    expect(() => checkBootImage(bundle(), { full: false, system })).not.toThrow();
    expect(() => checkBootImage(bundle(), { full: false, system: other })).toThrow(
      failsAs('image-other-system'),
    );
  });
  test.each([
    ['cpio', '070701'],
    ['zstd', '\x28\xb5\x2f\xfd'],
    ['xz', '\xfd7zXZ\0'],
    ['lz4', '\x02\x21\x4c\x18'],
  ])('initrd in %s', (_, head) => {
    writeFileSync(bundle().initrd, Buffer.from(`${head}........`, 'latin1'));
    expect(() => check()).not.toThrow();
  });
});

describe('is a named failure that offers to make the image:', () => {
  const parts = ['kernel', 'initrd', 'cmdline'] as const;
  test.each(parts)('no %s', (part) => {
    rmSync(bundle()[part]);
    expect(() => check()).toThrow(failsAs('image-missing'));
    expect(() => check()).toThrow(/linuxkit-builder image build/);
  });
  test.each(parts)('a folder for a %s', (part) => {
    rmSync(bundle()[part]);
    mkdirSync(bundle()[part]);
    expect(() => check()).toThrow(failsAs('image-missing'));
  });
  test('a prefix below a file', () =>
    expect(() => checkBootImage(bundleAt(`${bundle().kernel}/x`), { full: false })).toThrow(
      failsAs('image-missing'),
    ));
  test('a prefix longer than any name', () =>
    expect(() => checkBootImage(bundleAt(`/${'x'.repeat(300)}`), { full: false })).toThrow(
      failsAs('image-unreadable'),
    ));
  test.each(parts)('an empty %s', (part) => {
    writeFileSync(bundle()[part], '');
    expect(() => check()).toThrow(failsAs('image-truncated'));
  });
  test.each(parts)('a %s shorter than the manifest says, without reading it all', (part) => {
    writeManifest();
    writeFileSync(bundle()[part], 'x');
    expect(() => check()).toThrow(failsAs('image-truncated'));
  });
  test.each([
    ['kernel', fakeKernel('7.1')],
    ['cmdline', 'quiet console=ttyS1\n'],
  ] as const)('a %s of the right size that was changed, when all is read', (part, data) => {
    writeManifest();
    writeFileSync(bundle()[part], data);
    expect(() => check(false)).not.toThrow();
    expect(() => check(true)).toThrow(failsAs('image-wrong-hash'));
  });
  test('a longer file than the manifest says', () => {
    writeManifest();
    writeFileSync(bundle().cmdline, 'quiet console=ttyS0 init=/bin/sh\n');
    expect(() => check()).toThrow(failsAs('image-wrong-hash'));
  });
  test.each([
    ['kernel', 'text', 'image-kernel-unknown'],
    ['initrd', 'text', 'image-initrd-unknown'],
    ['cmdline', 'one\ntwo\n', 'image-cmdline-bad'],
    ['cmdline', 'x'.repeat(2001), 'image-cmdline-bad'],
  ] as const)('a %s that is none', (part, data, kind) => {
    writeFileSync(bundle()[part], data);
    expect(() => check()).toThrow(failsAs(kind));
  });
  test.each(['', '{', '{}', 'null'])('a manifest %j', (text) => {
    writeFileSync(bundle().manifest, text);
    expect(() => check()).toThrow(failsAs('image-manifest-broken'));
  });
});
