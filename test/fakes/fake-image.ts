import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { recipe, type Recipe } from '../../src/image/recipe.ts';
import type { FakeMirror, FakePackage, Publication } from './fake-mirror.ts';

/** The least that has everything an image is made of: kernel, modules, shell, certificates, links, names that collide. */
export const fakeRecipe: Recipe = {
  packages: (arch) => [`linux-image-cloud-${arch}`, 'busybox-static', 'ca-certificates', 'tool'],
  releases: [{ name: 'stable', suites: [{ codename: 'trixie', archive: 'main' }] }],
  from: {},
  floors: () => [],
  without: ['debconf'],
  dropped: [/^(boot|usr\/share\/(doc|ca-certificates)|usr\/lib\/modules)(\/|$)/],
  stage1Modules: ['squashfs', 'virtio_net'],
  rootModules: ['button'],
  cmdline: (arch) => `quiet fake.arch=${arch}`,
};

/** Packages that the recipe resolves to, with a kernel of that version, whose package name has it too. `vmlinuz`: the kernel itself. */
export function fakePackages(kernel = '6.1.1', vmlinuz = fakeKernel(kernel)): FakePackage[] {
  const image = `linux-image-${kernel}-cloud`;
  const modules = `lib/modules/${kernel}-cloud`;
  const metas = ['amd64', 'arm64'].map((arch) => ({
    name: `linux-image-cloud-${arch}`,
    version: kernel,
    fields: { Depends: `${image} (= ${kernel})` },
  }));
  return [
    ...metas,
    {
      name: image,
      version: kernel,
      fields: { Depends: 'debconf | debconf-2.0' },
      files: {
        [`boot/vmlinuz-${kernel}-cloud`]: vmlinuz,
        [`${modules}/kernel/fs/squashfs.ko`]: fakeModule(''),
        [`${modules}/kernel/net/virtio_net.ko`]: fakeModule('net_failover'),
        [`${modules}/kernel/net/net_failover.ko`]: fakeModule(''),
        [`${modules}/kernel/acpi/button.ko`]: fakeModule(''),
        [`${modules}/modules.builtin`]: 'kernel/fs/ext4/ext4.ko\n',
      },
    },
    { name: 'busybox-static', files: { 'bin/busybox': { exec: 'the shell' } } },
    {
      name: 'ca-certificates',
      files: {
        'usr/share/ca-certificates/mozilla/b.crt': 'B\n',
        'usr/share/ca-certificates/mozilla/a.crt': 'A\n',
      },
    },
    {
      name: 'tool',
      fields: { Depends: 'libtool (>= 1), debconf' },
      files: {
        'usr/bin/': { directory: 0o755 },
        'usr/bin/tool': { exec: 'tool' },
        'usr/bin/tool-again': { hard: 'usr/bin/tool' },
        'usr/share/doc/tool': 'dropped',
        'etc/overlaid': 'of the package',
      },
    },
    {
      name: 'libtool',
      files: { 'lib/Name': 'upper', 'lib/name': 'lower', 'lib/so': { link: 'name' } },
    },
    { name: 'debconf', files: { 'usr/bin/debconf': { exec: 'never' } } },
  ];
}

/** Publishes everything that the real recipe asks for, small, in its first suite, and nothing in the others. */
export async function publishSmall(
  mirror: FakeMirror,
  kernel: string,
  given: Publication = {},
): Promise<void> {
  const options = { date: anHourAgo, ...given };
  await mirror.publish(smallPackages(kernel), options);
  for (const { codename } of recipe.releases.flatMap(({ suites }) => suites).slice(1))
    await mirror.publishSuite([], { ...options, suite: codename });
}

/** The same for all of a test. */
const anHourAgo = new Date(Date.now() - 60 * 60 * 1000);

/** All versions are above the floors: they have an epoch, but for the kernel, which has a limit above as well. */
function smallPackages(kernel: string): FakePackage[] {
  const names = new Set([...recipe.packages('amd64'), ...recipe.packages('arm64'), 'libc6']);
  const modules = [...recipe.stage1Modules, ...recipe.rootModules, ...(recipe.vsockModules ?? [])];
  const files = Object.fromEntries(
    modules.map((name) => [`usr/lib/modules/${kernel}/kernel/${name}.ko`, '\x7fELF\0depends=\0']),
  );
  const image = {
    name: `linux-image-${kernel}`,
    version: kernel,
    files: { [`boot/vmlinuz-${kernel}`]: fakeKernel(kernel), ...files },
  };
  return [
    image,
    ...[...names].map((name) => {
      if (name.startsWith('linux-image-'))
        return { name, version: kernel, fields: { Depends: image.name } };
      if (name === 'busybox-static') return { name, files: { 'bin/busybox': 'shell' } };
      return { name, version: '9:1.0', fields: name === 'libc6' ? {} : { Depends: 'libc6' } };
    }),
  ];
}

/** A folder as src/image/rootfs. */
export function writeFakeRootfs(folder: string): void {
  const files: Record<string, string> = {
    'initrd/init': '#!/bin/busybox sh\n',
    'root/etc/overlaid': 'ours',
    'modes.json': JSON.stringify({
      'initrd/init': '0755',
      'root/usr/sbin/init': { link: '../bin/busybox' },
      'root/tmp': { directory: '1777' },
    }),
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** As much of an x86 kernel as is looked at. */
export function fakeKernel(text: string): Buffer {
  const kernel = Buffer.alloc(0x300);
  kernel.write('HdrS', 0x202, 'latin1');
  kernel.write(text, 0x210);
  return kernel;
}

const fakeModule = (depends: string) => Buffer.from(`\x7fELF\0depends=${depends}\0`);
