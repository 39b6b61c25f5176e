/** What is wrong with the image that a VM boots, and with what it boots it with. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkConfig, type HostFacts } from '../../src/config/config.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { bundleAt, checkBootImage } from '../../src/vm/boot-image.ts';
import { describeFloor, describeShortfall, floorsFor } from '../../src/vm/floors.ts';
import { hyperkitProblems } from '../../src/vm/hyperkit/hyperkit-argv.ts';
import { ageOf, describeAge, type ImageNews } from '../../src/vm/image-age.ts';
import type { Abilities, PlanInput } from '../../src/vm/vm-driver.ts';
import { vfkitProblems } from '../../src/vm/vfkit/vfkit-argv.ts';
import { directoryShownAs, type States } from './tell.ts';

const tree = directoryShownAs('/images');
const x86 = Buffer.alloc(0x210);
x86.write('HdrS', 0x202);
x86.writeUInt16LE(0x020f, 0x206);
const old = Buffer.from(x86);
old.writeUInt16LE(0x0209, 0x206);
const initrd = Buffer.from('070701');

type Part = 'kernel' | 'initrd' | 'cmdline' | 'manifest';
/** A whole image with one part that is another; undefined: it is not there. */
function image(name: string, part: Part, content: Buffer | string | undefined) {
  const bundle = bundleAt(join(tree, name));
  const whole = { kernel: x86, initrd, cmdline: 'quiet', manifest: undefined, [part]: content };
  for (const each of ['kernel', 'initrd', 'cmdline', 'manifest'] as const) {
    const text = whole[each];
    if (text !== undefined) writeFileSync(bundle[each], text);
  }
  return bundle;
}
const faulty = (name: string, part: Part, content: Buffer | string | undefined) => () => {
  checkBootImage(image(name, part, content), { full: true, system: 'x86_64-linux' });
};
const file = (size: number, sha256 = '') => ({ sha256, size });
const manifest = (kernel: ReturnType<typeof file>) =>
  JSON.stringify({
    arch: 'amd64',
    kernelVersion: '6.12',
    inputs: {},
    suite: 'trixie',
    indexDate: '',
    squashfs: { tool: 'mksquashfs', version: '4.6', options: [] },
    packages: {},
    files: { kernel, initrd: file(6), cmdline: file(5) },
  });

export const images: States = {
  'the kernel is missing': faulty('missing', 'kernel', undefined),
  'the kernel is a directory': () => {
    mkdirSync(join(tree, 'directory-kernel'));
    checkBootImage(bundleAt(join(tree, 'directory')), { full: false });
  },
  'the initrd is empty': faulty('empty', 'initrd', ''),
  'a file is too short': faulty('short', 'manifest', manifest(file(9_999))),
  'a file has changed': faulty('changed', 'manifest', manifest(file(x86.length))),
  'the manifest is broken': faulty('manifest', 'manifest', '{}'),
  'the kernel is none': faulty('kernel', 'kernel', 'text'),
  'the kernel is for another processor': () => {
    checkBootImage(image('other', 'kernel', x86), { full: false, system: 'aarch64-linux' });
  },
  'the initrd is none': faulty('initrd', 'initrd', 'text'),
  'the command line has two lines': faulty('lines', 'cmdline', 'quiet\nro'),
  'the command line is too long': faulty('long', 'cmdline', 'x'.repeat(2001)),
  'a file cannot be read': () => {
    symlinkSync('loop-kernel', join(tree, 'loop-kernel'));
    checkBootImage(bundleAt(join(tree, 'loop')), { full: false });
  },
};

const day = (date: string) => Date.parse(`${date}T00:00:00Z`);
const made = (securityDate: string | undefined) => ({
  indexDate: '2026-01-01T00:00:00Z',
  suites:
    securityDate === undefined
      ? []
      : [{ codename: 'trixie', archive: 'security', indexDate: securityDate }],
});
const news = (newer: number): ImageNews => ({
  version: 1,
  lookedAt: '2026-03-02T00:00:00Z',
  securityDate: '2026-03-01T00:00:00Z',
  newer,
});

export const ages: States = {
  'it was made without security updates': () =>
    describeAge(ageOf(made(undefined), undefined, day('2026-03-02'))),
  'it is old': () => describeAge(ageOf(made('2026-01-01T00:00:00Z'), undefined, day('2026-03-02'))),
  'one package is newer': () =>
    describeAge(ageOf(made('2026-02-28T00:00:00Z'), news(1), day('2026-03-01'))),
  'some packages are newer': () =>
    describeAge(ageOf(made('2026-02-20T00:00:00Z'), news(3), day('2026-03-02'))),
};

export const floors: States = Object.fromEntries(
  floorsFor('amd64').flatMap((floor) => [
    [`${floor.what}, and it is too old`, () => describeShortfall({ floor, version: '1.0' })],
    [`${floor.what}, and it is missing`, () => describeShortfall({ floor, version: undefined })],
    [`${floor.what}, as a rule`, () => describeFloor(floor)],
  ]),
);

const host: HostFacts = {
  arch: 'x64',
  platform: 'darwin',
  cpus: 16,
  memoryMiB: 65_536,
  diskGiB: 500,
  diskFreeGiB: 100,
};
function inputOf(vm: 'hyperkit' | 'vfkit', changes: Partial<PlanInput>): PlanInput {
  const parsed = checkConfig({ vm, cpus: 2, memoryMiB: 2048 }, host);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return {
    config: parsed.config,
    layout: layoutOf('/b'),
    bundle: bundleAt(join(tree, 'none')),
    cmdline: 'quiet',
    program: '/vm',
    accelerator: 'hvf',
    uuid: '',
    network: { name: 'user', guest: {} as never },
    ...changes,
  };
}
const longer = layoutOf(`/${'d'.repeat(90)}`);
const v05: Abilities = { version: '0.5.0', sandbox: false, forwardsUnix: false };
const arm = { ...inputOf('vfkit', {}).config, system: 'aarch64-linux' } as const;
const kernelOf = (name: string, content: Buffer | string) => image(name, 'kernel', content);

export const hyperkitInput: States = {
  'the path is too long': () =>
    hyperkitProblems(inputOf('hyperkit', { layout: longer, bundle: kernelOf('hk-ok', x86) })),
  'the path has a comma': () =>
    hyperkitProblems(
      inputOf('hyperkit', { layout: layoutOf('/a,b'), bundle: kernelOf('hk', x86) }),
    ),
  'the kernel cannot be read': () => hyperkitProblems(inputOf('hyperkit', {})),
  'the kernel is for another processor': () =>
    hyperkitProblems(inputOf('hyperkit', { bundle: kernelOf('hk-other', 'MZ'.repeat(400)) })),
  'the kernel is old': () =>
    hyperkitProblems(inputOf('hyperkit', { bundle: kernelOf('hk-old', old) })),
};

export const vfkitInput: States = {
  'it is too old': () => vfkitProblems(inputOf('vfkit', { abilities: v05 })),
  'the path is too long': () => vfkitProblems(inputOf('vfkit', { layout: longer })),
  'the path has a space': () => vfkitProblems(inputOf('vfkit', { layout: layoutOf('/my b') })),
  'the kernel cannot be read': () => vfkitProblems(inputOf('vfkit', { config: arm })),
  'the kernel is for another processor': () =>
    vfkitProblems(inputOf('vfkit', { config: arm, bundle: kernelOf('vf-other', x86) })),
};
