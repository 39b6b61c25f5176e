import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
  mkdirSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { buildImage, type BuildOptions } from '../../src/image/build.ts';
import { cachedPath } from '../../src/image/http/cached-file.ts';
import { lockHash, type Lock } from '../../src/image/image-lock.ts';
import type { Recipe } from '../../src/image/recipe.ts';
import { findSquashfsTool } from '../../src/image/tree/squashfs-tool.ts';
import type { SupplyOptions } from '../../src/image/supply.ts';
import { describeRenewal, freshLock } from '../../src/image/update.ts';
import { run } from '../../src/system/process/child.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { fakePackages, fakeRecipe, writeFakeRootfs } from '../fakes/fake-image.ts';
import { bzImage, elf } from '../fakes/fake-kernel.ts';
import { FakeMirror, fakeKey } from '../fakes/fake-mirror.ts';
import { unpackCpio } from '../fakes/unpack-cpio.ts';
import { saying } from '../fakes/saying.ts';
import { removeTree } from '../remove-tree.ts';

const key = await fakeKey();
const tool = await findSquashfsTool();
let mirror: FakeMirror;
let pool: ReadonlyMap<string, string>;
let directory = '';
let warnings: string[] = [];

beforeAll(async () => {
  mirror = await FakeMirror.start(key);
});
afterAll(() => mirror[Symbol.asyncDispose]());
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'build-'));
  writeFakeRootfs(join(directory, 'rootfs'));
  warnings = [];
  mirror.answers.clear();
  pool = await mirror.publish(fakePackages());
  mirror.requests.length = 0;
});
afterEach(() => removeTree(directory));

const supplies = (): SupplyOptions => ({
  mirrors: { main: mirror.url, security: `${mirror.url}-security` },
  keyring: [key.armored],
  directory: join(directory, 'downloads'),
  clock: new FakeClock(Date.parse('2026-02-01')),
  retries: 0,
  onWarning: (line) => warnings.push(line),
});
const newLock = (previous?: Lock) => freshLock(fakeRecipe, tool, previous, supplies());
const prefix = (name = 'out') => join(directory, name, 'builder');
const build = (lock: Lock, options: Partial<BuildOptions> = {}) =>
  buildImage({
    ...supplies(),
    arch: 'amd64',
    lock,
    recipe: fakeRecipe,
    rootfs: join(directory, 'rootfs'),
    prefix: prefix(),
    onStep: () => undefined,
    alone: (work) => Promise.resolve(work()),
    ...options,
  });
const bytesOf = (name: string) =>
  Object.fromEntries(
    readdirSync(join(directory, name)).map((file) => [
      file,
      readFileSync(join(directory, name, file)).toString('base64'),
    ]),
  );

/** Names and modes in the root, as unsquashfs lists them. */
async function rootOf(
  initrd: Buffer,
): Promise<{ listing: string[]; cat: (path: string) => Promise<string> }> {
  const image = join(directory, 'root.squashfs');
  writeFileSync(image, unpackCpio(initrd).get('root.squashfs')?.data ?? '');
  const { stdout } = await run('unsquashfs', ['-lln', image]);
  const listing = stdout.split('\n').filter((line) => line.includes('squashfs-root/'));
  return {
    listing: listing.map((line) => line.replace(/^(\S+) (\S+) .* squashfs-root\//, '$1 $2 ')),
    cat: async (path) => (await run('unsquashfs', ['-cat', image, path])).stdout,
  };
}

describe('an image', () => {
  test('is a triple with a manifest, and nothing else is left', async () => {
    const { manifest, fresh } = await build(await newLock());
    expect(fresh).toBe(true);
    expect(readdirSync(join(directory, 'out')).sort()).toEqual(
      ['builder-cmdline', 'builder-initrd.img', 'builder-kernel', 'builder-manifest.json'].sort(),
    );
    expect(readFileSync(`${prefix()}-cmdline`, 'utf8')).toBe('quiet fake.arch=amd64\n');
    expect(manifest).toMatchObject({
      arch: 'amd64',
      kernelVersion: '6.1.1-cloud',
      suite: 'trixie',
    });
    expect(manifest.packages).toMatchObject({
      tool: '1.0',
      libtool: '1.0',
      'linux-image-6.1.1-cloud': '6.1.1',
    });
    expect(manifest.packages).not.toHaveProperty('debconf');
    expect(warnings).toEqual([]);
  });

  test('has in its initrd: init, shell, modules in load order, the root', async () => {
    await build(await newLock());
    const entries = unpackCpio(readFileSync(`${prefix()}-initrd.img`));
    expect([...entries].map(([path, { mode }]) => `${mode.toString(8)} ${path}`)).toEqual([
      '100755 init',
      '40755 bin',
      '100755 bin/busybox',
      '40755 modules',
      '100644 modules/01-squashfs.ko',
      '100644 modules/02-net_failover.ko',
      '100644 modules/03-virtio_net.ko',
      '100644 root.squashfs',
    ]);
  });

  test('has its root at the place that its manifest says, behind an initrd without it', async () => {
    const { manifest } = await build(await newLock());
    const initrd = readFileSync(`${prefix()}-initrd.img`);
    const { stage1 = 0, at = 0, size = 0 } = manifest.root ?? {};
    expect(at % 4096).toBe(0);
    expect(initrd.subarray(at, at + size)).toEqual(unpackCpio(initrd).get('root.squashfs')?.data);
    const names = [...unpackCpio(initrd).keys()];
    expect([...unpackCpio(initrd.subarray(0, stage1)).keys()]).toEqual(names.slice(0, -1));
  });

  test('has its kernel unpacked as well, where that can be booted as it is', async () => {
    const vmlinux = elf(['Xen', 18, 'at 16 MB']);
    await mirror.publish(fakePackages('6.1.1', bzImage(gzipSync(vmlinux))));
    const { manifest } = await build(await newLock());
    expect(readFileSync(`${prefix()}-vmlinux`)).toEqual(vmlinux);
    expect(manifest.files.unpacked?.size).toBe(vmlinux.length);
    expect((await build(await newLock())).fresh).toBe(false);

    rmSync(`${prefix()}-vmlinux`);
    expect((await build(await newLock())).fresh).toBe(true);
    expect(readFileSync(`${prefix()}-vmlinux`)).toEqual(vmlinux);
  });

  test('has the root that the recipe says, owned by root', async () => {
    await build(await newLock());
    const root = await rootOf(readFileSync(`${prefix()}-initrd.img`));
    expect(root.listing).toMatchInlineSnapshot(`
      [
        "lrwxrwxrwx 0/0 bin -> usr/bin",
        "drwxr-xr-x 0/0 etc",
        "-rw-r--r-- 0/0 etc/overlaid",
        "drwxr-xr-x 0/0 etc/ssl",
        "drwxr-xr-x 0/0 etc/ssl/certs",
        "-rw-r--r-- 0/0 etc/ssl/certs/ca-certificates.crt",
        "lrwxrwxrwx 0/0 lib -> usr/lib",
        "lrwxrwxrwx 0/0 lib64 -> usr/lib64",
        "lrwxrwxrwx 0/0 sbin -> usr/sbin",
        "drwxrwxrwt 0/0 tmp",
        "drwxr-xr-x 0/0 usr",
        "drwxr-xr-x 0/0 usr/bin",
        "-rwxr-xr-x 0/0 usr/bin/busybox",
        "-rwxr-xr-x 0/0 usr/bin/tool",
        "-rwxr-xr-x 0/0 usr/bin/tool-again",
        "drwxr-xr-x 0/0 usr/lib",
        "-rw-r--r-- 0/0 usr/lib/Name",
        "drwxr-xr-x 0/0 usr/lib/linuxkit-builder",
        "drwxr-xr-x 0/0 usr/lib/linuxkit-builder/modules",
        "-rw-r--r-- 0/0 usr/lib/linuxkit-builder/modules/01-button.ko",
        "-rw-r--r-- 0/0 usr/lib/name",
        "lrwxrwxrwx 0/0 usr/lib/so -> name",
        "drwxr-xr-x 0/0 usr/sbin",
        "lrwxrwxrwx 0/0 usr/sbin/init -> ../bin/busybox",
      ]
    `);
    expect(await root.cat('etc/ssl/certs/ca-certificates.crt')).toBe('A\nB\n');
    expect(await root.cat('etc/overlaid')).toBe('ours');
    expect(await root.cat('usr/lib/Name')).toBe('upper');
  });

  test('is the same to the byte in another directory, at another time, whatever the environment says', async () => {
    const lock = await newLock();
    await build(lock);
    process.env['SOURCE_DATE_EPOCH'] = '1';
    try {
      await build(lock, {
        prefix: prefix('other'),
        clock: new FakeClock(Date.parse('2030-01-01')),
      });
    } finally {
      delete process.env['SOURCE_DATE_EPOCH'];
    }
    expect(bytesOf('other')).toEqual(bytesOf('out'));
  });

  test('for the other architecture is another one', async () => {
    const { manifest } = await build(await newLock(), { arch: 'arm64' });
    expect(manifest.arch).toBe('arm64');
    const root = await rootOf(readFileSync(`${prefix()}-initrd.img`));
    expect(root.listing.join('\n')).not.toContain('lib64');
  });
});

describe('a second build', () => {
  test('of the same lock fetches and makes nothing', async () => {
    const lock = await newLock();
    await build(lock);
    mirror.requests.length = 0;
    expect(await build(lock)).toMatchObject({ fresh: false });
    expect(mirror.requests).toEqual([]);
  });

  test('elsewhere needs neither the mirror nor its index', async () => {
    const lock = await newLock();
    await build(lock);
    mirror.requests.length = 0;
    expect(await build(lock, { prefix: prefix('other') })).toMatchObject({ fresh: true });
    expect(mirror.requests).toEqual([]);
  });

  const changes: [string, (lock: Lock) => Promise<Partial<BuildOptions>>][] = [
    [
      'the command line',
      () => Promise.resolve({ recipe: { ...fakeRecipe, cmdline: () => 'other' } }),
    ],
    ['what is kept', () => Promise.resolve({ recipe: { ...fakeRecipe, dropped: [] } })],
    [
      'a file of ours',
      () => {
        writeFileSync(join(directory, 'rootfs/root/etc/new'), 'new');
        return Promise.resolve({});
      },
    ],
    [
      'a package',
      async (lock) => {
        await mirror.publish(fakePackages('6.1.2'), { date: new Date('2026-01-03') });
        return { lock: await newLock(lock) };
      },
    ],
    [
      'the image, which somebody damaged',
      () => {
        writeFileSync(`${prefix()}-initrd.img`, 'x');
        return Promise.resolve({});
      },
    ],
    [
      'the image, of which a file is gone',
      () => {
        rmSync(`${prefix()}-kernel`);
        return Promise.resolve({});
      },
    ],
  ];
  test.each(changes)('makes it anew after a change of %s', async (_, change) => {
    const lock = await newLock();
    await build(lock);
    expect(await build(lock, await change(lock))).toMatchObject({ fresh: true });
  });

  test('clears away what a killed one left an hour ago', async () => {
    const left = join(directory, 'out/.builder-abc');
    mkdirSync(left, { recursive: true });
    const then = Date.parse('2026-01-31') / 1000;
    utimesSync(left, then, then);
    await build(await newLock());
    expect(existsSync(left)).toBe(false);
  });
});

// Behaviour 162: A package in the lock file is fetched by its hash, however old the mirror's package list is. Other
// versions are chosen only for packages that the mirrors no longer have, and for packages that depend on exactly
// those versions; a message says so.
describe('a package that the mirror has no longer', () => {
  test('is resolved anew through the signed index, with a warning that names it', async () => {
    const lock = await newLock();
    await mirror.publish(fakePackages('6.1.2'), { date: new Date('2026-01-03') });
    removeTree(join(directory, 'downloads'));
    const { manifest } = await build(lock);
    expect(manifest.kernelVersion).toBe('6.1.2-cloud');
    expect(manifest.indexDate).toBe('2026-01-03T00:00:00.000Z');
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/pool\/main\/linux-image-\S+ does not exist/);
    expect(warnings[0]).toContain('linux-image-cloud-amd64 6.1.2 (was 6.1.1)');
    expect(warnings[0]).toContain('linux-image-6.1.2-cloud 6.1.2 (new)');
    expect(warnings[0]).toContain('linux-image-6.1.1-cloud (gone)');
    mirror.requests.length = 0;
    expect(await build(lock)).toMatchObject({ fresh: false });
    expect(mirror.requests).toEqual([]);
  });

  const kernel = () => pool.get('linux-image-6.1.1-cloud') ?? '';
  const newer = () => [
    ...fakePackages('6.1.2').filter(({ name }) => !/^(lib)?tool$/.test(name)),
    ...fakePackages().flatMap((each) =>
      /^(lib)?tool$/.test(each.name) ? [{ ...each, version: '2.0' }] : [],
    ),
  ];

  test('is all that is resolved anew, with what needs it: the rest stays as the lock has it', async () => {
    const lock = await newLock();
    await mirror.publishSuite(newer(), { date: new Date('2026-01-03') });
    mirror.files.delete(kernel());
    const { manifest } = await build(lock);
    expect(manifest.packages).toMatchObject({
      'linux-image-cloud-amd64': '6.1.2',
      'linux-image-6.1.2-cloud': '6.1.2',
      tool: '1.0',
      libtool: '1.0',
    });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).not.toContain('tool');
  });

  test('is fetched from the second address, by its path or its hash', async () => {
    const lock = await newLock();
    const { sha256 } =
      lock.architectures.amd64.packages.find(({ name }) => name === 'linux-image-6.1.1-cloud') ??
      {};
    for (const [vanished, place] of [
      [`${mirror.url}/old`, `old/${kernel()}`],
      [`${mirror.url}/by-hash/{sha256}`, `by-hash/${sha256}`],
    ] as const) {
      const [now, then] = [
        kernel(),
        mirror.files.get(kernel()) ?? mirror.files.get(place) ?? Buffer.alloc(0),
      ];
      mirror.files.delete(now);
      mirror.files.set(place, then);
      removeTree(join(directory, 'downloads'));
      const { manifest } = await build(lock, { vanished, prefix: prefix(place.slice(0, 2)) });
      expect(manifest.kernelVersion).toBe('6.1.1-cloud');
      mirror.files.set(now, then);
    }
    expect(warnings).toEqual([]);
  });

  test('is not replaced by one below the floor', async () => {
    const lock = await newLock();
    await mirror.publish(fakePackages('6.1.0'), { date: new Date('2026-01-03') });
    const floor = {
      what: 'Linux' as const,
      package: 'linux-image-cloud-amd64',
      version: '6.1.1',
      why: 'x',
    };
    await expect(
      build(lock, { recipe: { ...fakeRecipe, floors: () => [floor] } }),
    ).rejects.toMatchObject({
      failure: {
        kind: 'packages-unresolvable',
        message: expect.stringMatching(/linux-image-cloud-amd64.* 6\.1\.1 /) as string,
      },
    });
  });

  test.each([
    ['whose index is older', 'release-older', { date: new Date('2026-01-01T12:00:00Z') }],
    ['of another suite', 'release-wrong', { codename: 'sid' }],
  ])('is a failure on a mirror %s', async (_, kind, published) => {
    const lock = await newLock();
    await mirror.publish(fakePackages('6.1.2'), published);
    await expect(build(lock)).rejects.toMatchObject({ failure: { kind } });
    expect(existsSync(join(directory, 'out'))).toBe(false);
  });

  test('is a failure when the index still names it', async () => {
    const lock = await newLock();
    mirror.files.delete(pool.get('tool') ?? '');
    await expect(build(lock)).rejects.toMatchObject({ failure: { kind: 'not-on-mirror' } });
    expect(existsSync(join(directory, 'out'))).toBe(false);
  });

  test('is a failure when the index lacks what is asked for', async () => {
    const lock = await newLock();
    const packages = fakePackages('6.1.2').filter(({ name }) => name !== 'libtool');
    await mirror.publish(packages, { date: new Date('2026-01-03') });
    await expect(build(lock)).rejects.toMatchObject({
      failure: {
        kind: 'packages-unresolvable',
        message: expect.stringContaining('libtool (>= 1) (for tool)') as string,
      },
    });
  });
});

// Behaviour 151: Each dependency of a package comes from the Debian release that the recipe (the choice of packages
// for an image) names, or, if that one has no suitable version, from another release. For some packages, such as Nix
// and the kernel, the program has a lowest acceptable version, and no older one enters an image.
describe('several suites', () => {
  const suites: Recipe = {
    ...fakeRecipe,
    releases: [
      {
        name: 'stable',
        suites: [
          { codename: 'trixie', archive: 'main' },
          { codename: 'trixie-security', archive: 'security' },
        ],
      },
      { name: 'testing', suites: [{ codename: 'forky', archive: 'main' }] },
    ],
    from: { tool: 'testing' },
  };
  const publish = async (validUntil = new Date('2026-02-08')) => {
    const tools = [
      { name: 'tool', version: '2.0', fields: { Depends: 'libtool (>= 2)' } },
      { name: 'libtool', version: '2.0' },
      { name: 'busybox-static', version: '9.0' },
    ];
    await mirror.publishSuite(tools, { suite: 'forky', date: new Date('2026-01-20'), validUntil });
    await mirror.publishSuite([{ name: 'ca-certificates', version: '1.1', files: {} }], {
      suite: 'trixie-security',
      date: new Date('2026-01-10'),
    });
  };
  const both = () => ({ main: mirror.url, security: mirror.url });
  const lockOf = (options: Partial<SupplyOptions> = {}, previous?: Lock) =>
    freshLock(suites, tool, previous, { ...supplies(), mirrors: both(), ...options });
  const versions = ({ architectures }: Lock) =>
    Object.fromEntries(
      architectures.amd64.packages.map(({ name, version, suite }) => [name, `${version} ${suite}`]),
    );

  test('give each package from where the recipe says, and no more than is needed from elsewhere', async () => {
    await publish();
    const lock = await lockOf();
    expect(versions(lock)).toMatchObject({
      tool: '2.0 forky',
      libtool: '2.0 forky',
      'busybox-static': '1.0 trixie',
      'ca-certificates': '1.1 trixie-security',
    });
    expect(lock.suites).toEqual([
      { codename: 'trixie', archive: 'main', indexDate: '2026-01-02T03:04:05.000Z' },
      { codename: 'trixie-security', archive: 'security', indexDate: '2026-01-10T00:00:00.000Z' },
      { codename: 'forky', archive: 'main', indexDate: '2026-01-20T00:00:00.000Z' },
    ]);
    const { manifest } = await build(lock, { recipe: suites, mirrors: both() });
    expect(manifest).toMatchObject({ suites: lock.suites, indexDate: '2026-01-20T00:00:00.000Z' });
  });

  test('of which the security archive cannot be had are said to be so, and make a lock', async () => {
    await publish();
    const lock = await lockOf({
      mirrors: { main: mirror.url, security: `${mirror.url}/none` },
    });
    expect(versions(lock)).toMatchObject({ 'ca-certificates': '1.0 trixie' });
    expect(lock.suites.map(({ codename }) => codename)).toEqual(['trixie', 'forky']);
    expect(warnings).toEqual([expect.stringContaining('--security-mirror URL')]);
  });

  test('of which the security archive cannot be had any more are no reason for older packages', async () => {
    await publish();
    const before = await lockOf();
    const without = { mirrors: { main: mirror.url, security: `${mirror.url}/none` } };
    await expect(lockOf(without, before)).rejects.toMatchObject({
      failure: {
        kind: 'update-steps-back',
        message: expect.stringContaining('ca-certificates 1.0 (was 1.1)') as string,
      },
    });
    const asNew = before.architectures.amd64.packages.map((each) => ({ ...each, version: '0.9' }));
    const { amd64, arm64 } = before.architectures;
    const architectures = {
      amd64: { ...amd64, packages: asNew },
      arm64: { ...arm64, packages: asNew },
    };
    await expect(lockOf(without, { ...before, architectures })).resolves.toMatchObject({
      suites: [{ codename: 'trixie' }, { codename: 'forky' }],
    });
  });

  test('of which the security archive is gone by the time of a build give what is elsewhere', async () => {
    await publish();
    const lock = await lockOf();
    const mirrors = { main: mirror.url, security: 'http://127.0.0.1:9/debian-security' };
    const { manifest } = await build(lock, { recipe: suites, mirrors });
    expect(manifest.packages).toMatchObject({ 'ca-certificates': '1.0', tool: '2.0' });
    expect(manifest.suites?.map(({ codename }) => codename)).toEqual(['trixie', 'forky']);
    expect(warnings.join('\n')).toContain('ca-certificates 1.0 (was 1.1)');
  });

  test('of which one has expired are refused, unless that is accepted: then the lock says so', async () => {
    const validUntil = new Date('2026-01-27');
    await publish(validUntil);
    await expect(lockOf()).rejects.toMatchObject({ failure: { kind: 'release-expired' } });
    const lock = await lockOf({ acceptExpired: true });
    expect(lock.suites[2]).toMatchObject({ codename: 'forky', expired: validUntil.toISOString() });
    expect(describeRenewal(lock, lock)[0]).toContain(
      'forky 2026-01-20T00:00:00.000Z (valid until 2026-01-27',
    );
    // What a lock names is fetched by its hash, whatever became of the index.
    await expect(build(lock, { recipe: suites, mirrors: both() })).resolves.toMatchObject({
      fresh: true,
    });
  });

  test('are each not older than the last time', async () => {
    await publish();
    const lock = await lockOf();
    await mirror.publishSuite([], { suite: 'trixie-security', date: new Date('2026-01-09') });
    await expect(lockOf({}, lock)).rejects.toMatchObject({ failure: { kind: 'release-older' } });
  });
});

describe('leaves what was there, and nothing half, after', () => {
  const fails = async (work: Promise<unknown>, failure: unknown) => {
    const before = bytesOf('out');
    await expect(work).rejects.toMatchObject(failure as object);
    expect(bytesOf('out')).toEqual(before);
  };
  const other = { ...fakeRecipe, cmdline: () => 'other' };

  test('a package with a wrong hash', async () => {
    const lock = await newLock();
    await build(lock);
    removeTree(join(directory, 'downloads'));
    const path = pool.get('tool') ?? '';
    mirror.files.set(path, Buffer.alloc(mirror.files.get(path)?.length ?? 0));
    await fails(build(lock, { recipe: other }), { failure: { kind: 'download-wrong-hash' } });
  });

  test('a package that changed on the disk in the last moment', async () => {
    const lock = await newLock();
    await build(lock);
    const [first] = lock.architectures.amd64.packages;
    const path = cachedPath(join(directory, 'downloads'), first?.sha256 ?? '');
    const onStep = () => writeFileSync(path, 'changed');
    await fails(build(lock, { recipe: other, onStep }), {
      failure: { kind: 'download-wrong-hash' },
    });
    expect(existsSync(path)).toBe(false);
  });

  test('an abort while packing', async () => {
    const lock = await newLock();
    await build(lock);
    const stop = new AbortController();
    const onStep = () => stop.abort(new Error('stop'));
    await fails(build(lock, { recipe: other, onStep, signal: stop.signal }), { message: 'stop' });
  });

  test.each([
    ['two packages that collide', { dropped: [/^usr\/bin\/tool$/] }, 'packages-collide'],
    ['a module that is missing', { stage1Modules: ['nope'] }, 'module-missing'],
    ['a module of the root that is missing', { rootModules: ['nope'] }, 'module-missing'],
  ])('%s', async (_, change, kind) => {
    const lock = await newLock();
    await build(lock);
    await fails(build(lock, { recipe: { ...fakeRecipe, ...change } }), { failure: { kind } });
  });

  test('a missing mksquashfs, with how to get it', async () => {
    const lock = await newLock();
    await build(lock);
    const { PATH } = process.env;
    process.env['PATH'] = '';
    try {
      await fails(build(lock, { recipe: other }), {
        failure: {
          kind: 'squashfs-tools-missing',
          hint: saying('brew install squashfs'),
        },
      });
    } finally {
      process.env['PATH'] = PATH;
    }
  });

  // Behaviour 168: A `mksquashfs` that is too old, or that lacks something that is needed, is rejected before
  // anything is fetched. An image is made only from a complete root file system, even if `mksquashfs` reports success
  // for an incomplete one.
  test('a mksquashfs that cannot make it, before anything is fetched', async () => {
    const lock = await newLock();
    await build(lock);
    removeTree(join(directory, 'downloads'));
    mirror.requests.length = 0;
    const { PATH } = process.env;
    const script = '#!/bin/sh\n[ "$1" = -version ] && echo version 4.4 || exit 1\n';
    writeFileSync(join(directory, 'mksquashfs'), script, { mode: 0o755 });
    process.env['PATH'] = `${directory}:${PATH}`;
    try {
      await fails(build(lock, { recipe: other }), { failure: { kind: 'squashfs-tools-unfit' } });
    } finally {
      process.env['PATH'] = PATH;
    }
    expect(mirror.requests).toEqual([]);
  });

  test('a lock of another recipe', async () => {
    const lock = await newLock();
    await build(lock);
    const recipe = { ...fakeRecipe, packages: () => ['tool'] };
    await fails(build(lock, { recipe }), { failure: { kind: 'lock-stale' } });
  });
});

describe('a lock', () => {
  test('is the same from the same index, and says so', async () => {
    const lock = await newLock();
    expect(await newLock(lock)).toEqual(lock);
    expect(describeRenewal(lock, lock).join('\n')).toContain('no package changed');
    expect(lock).toMatchObject({
      suites: [{ codename: 'trixie', archive: 'main', indexDate: '2026-01-02T03:04:05.000Z' }],
      squashfs: { tool: 'mksquashfs' },
    });
    expect(lock.architectures.arm64.requested).toContain('linux-image-cloud-arm64');
  });

  test('is not renewed from an older index', async () => {
    const lock = await newLock();
    await mirror.publish(fakePackages(), { date: new Date('2026-01-01T12:00:00Z') });
    await expect(newLock(lock)).rejects.toMatchObject({ failure: { kind: 'release-older' } });
  });

  test('below the floor of the recipe makes no image', async () => {
    const lock = await newLock();
    const floor = {
      what: 'Nix' as const,
      package: 'tool',
      version: '1.1',
      why: 'a build gets out',
    };
    mirror.requests.length = 0;
    await expect(
      build(lock, { recipe: { ...fakeRecipe, floors: () => [floor] } }),
    ).rejects.toMatchObject({
      failure: {
        kind: 'lock-below-floor',
        message: expect.stringMatching(/Nix 1\.0 .* 1\.1[; ].*a build gets out/) as string,
      },
    });
    expect(mirror.requests).toEqual([]);
  });

  test('made with another squashfs tool gives a warning', async () => {
    const lock = {
      ...(await newLock()),
      squashfs: { ...tool, version: '4.0', options: [...tool.options] },
    };
    await build(lock);
    expect(warnings).toEqual([expect.stringContaining('made with mksquashfs 4.0')]);
  });

  test('has a hash for each architecture, on which the tool has no influence', async () => {
    const lock = await newLock();
    expect(lockHash(lock, 'amd64')).not.toBe(lockHash(lock, 'arm64'));
    const squashfs = { ...lock.squashfs, version: '0' };
    expect(lockHash({ ...lock, squashfs }, 'amd64')).toBe(lockHash(lock, 'amd64'));
  });
});
