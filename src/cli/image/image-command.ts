/** `image build`, `image info`, `image verify`: the guest's image, made and looked at. */
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import type { Layout } from '../../config/layout.ts';
import { builtImage } from '../../config/image-prefix.ts';
import { debianArch, nativeSystem, systemNames, type System } from '../../domain/guest-system.ts';
import { readIfThere } from '../../system/files/files.ts';
import { fieldsOf } from '../../system/socket/json-lines.ts';
import type { Arch } from '../../image/recipe.ts';
import type { BuildVerbOptions } from './build-image.ts';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';
import { mebibytes } from '../../command/progress.ts';

interface InfoOptions extends DirectoryOption {
  readonly json?: boolean;
}

export function imageVerbs(program: Command, context: CliContext): void {
  const image = program
    .command('image')
    .description('make the image that the guest boots, or look at it');
  addBuild(image, context);
  image
    .command('info [prefix]')
    .description('say what an image is made of')
    .option('--json', 'as JSON', false)
    .option(...directoryOption)
    .action((prefix: string | undefined, options: InfoOptions) =>
      info(prefixFor(prefix, options, context), options, context),
    );
  image
    .command('verify [prefix]')
    .description('check what can be checked of an image before it is started')
    .option(...directoryOption)
    .action((prefix: string | undefined, options: DirectoryOption) =>
      verify(prefixFor(prefix, options, context), context),
    );
}

/** What has to do with where packages come from. */
const sourceOptions = (command: Command): Command =>
  command
    .option('--mirror <url>', "Debian mirror (default: this machine's own, else an official one)")
    .option(
      '--security-mirror <url>',
      "mirror of Debian's security archive (default: this machine's own, else beside the other, as URL-security)",
    )
    .option(
      '--snapshots <url>',
      'where files are that the mirror has no longer; {path} and {sha256} in it stand for theirs',
    )
    .option(
      '--accept-expired-index',
      "take the mirror's lists of packages although the time for which they hold is over",
      false,
    )
    .addOption(
      new Option(
        '--arch <arch>',
        "the guest's architecture (default: as configured, else this machine's)",
      ).choices(['amd64', 'arm64']),
    )
    .option('-q, --quiet', 'say nothing but warnings and failures', false)
    .option(...directoryOption);

type Sources = Omit<BuildVerbOptions, 'arch' | 'update'> & { readonly arch?: Arch };

function addBuild(image: Command, context: CliContext): void {
  const build = async (options: Sources, update: BuildVerbOptions['update']) => {
    const { buildVerb } = await import('./build-image.ts');
    const layout = layoutFor(options, context);
    const { system: usual, snapshots } = configured(layout);
    const system = options.arch === undefined ? usual : systemOf(options.arch);
    const all = { ...(snapshots === undefined ? {} : { snapshots }), ...options };
    const arch = debianArch(system);
    await buildVerb({ ...all, arch, update }, layout, builtImage(layout, system), context);
  };
  sourceOptions(
    image
      .command('build')
      .description(
        'make the image from signed Debian packages; does nothing when it is up to date',
      ),
  )
    .option('--update', "renew the lock from the mirrors' signed indexes first", false)
    .option('-o, --output <prefix>', 'PREFIX of the files (default: in the state directory)')
    .action((options: Sources & { readonly update: boolean }) =>
      build(options, options.update && 'own'),
    );
  sourceOptions(
    image
      .command('update')
      .description('make the image of the newest packages; the guest takes it at its next start'),
  )
    .option('--check', 'only look whether there is anything newer', false)
    .action((options: Sources) => build(options, 'state'));
}

const systemOf = (arch: Arch): System => (arch === 'arm64' ? 'aarch64-linux' : 'x86_64-linux');

/** The named image, else the one that the configuration names, else ours. */
function prefixFor(
  given: string | undefined,
  options: DirectoryOption,
  context: CliContext,
): string {
  if (given !== undefined) return resolve(given);
  const layout = layoutFor(options, context, 'look');
  const { bundle, system } = configured(layout);
  return bundle ?? builtImage(layout, system);
}

/** What the configuration says of the guest's image; whatever else is wrong with that file is not our business here. */
function configured(layout: Layout): {
  readonly bundle?: string;
  readonly system: System;
  readonly snapshots?: string;
} {
  const native = nativeSystem(process.arch);
  try {
    const { bundle, system, snapshots } = fieldsOf(JSON.parse(readIfThere(layout.config) ?? '{}'));
    return {
      ...(typeof bundle === 'string' ? { bundle } : {}),
      ...(typeof snapshots === 'string' && snapshots !== '' ? { snapshots } : {}),
      system: systemNames.find((name) => name === system) ?? native,
    };
  } catch {
    return { system: native };
  }
}

async function info(prefix: string, { json }: InfoOptions, context: CliContext): Promise<void> {
  const { bundleAt, checkBootImage, readManifest } = await import('../../vm/boot-image.ts');
  const bundle = bundleAt(prefix);
  checkBootImage(bundle, { full: false });
  const manifest = readManifest(bundle);
  if (json === true)
    return context.out(JSON.stringify({ prefix, manifest: manifest ?? null }, null, 2));
  context.out(prefix);
  if (manifest === undefined)
    return context.out('  has no manifest: it was not made by `image build`');
  const { arch, kernelVersion, suite, indexDate, squashfs, packages, files } = manifest;
  const suites = manifest.suites ?? [{ codename: suite, indexDate, expired: undefined }];
  context.out(`  Linux ${kernelVersion} for ${arch}`);
  context.out(`  ${Object.keys(packages).length} packages of Debian`);
  for (const { codename, indexDate: date, expired } of suites)
    context.out(
      `    ${codename.padEnd(16)} ${date}${expired === undefined ? '' : `, which held until ${expired}`}`,
    );
  context.out(`  root file system by ${squashfs.tool} ${squashfs.version}`);
  for (const [name, { size, sha256 }] of Object.entries(files))
    context.out(`  ${name.padEnd(7)} ${mebibytes(size).padStart(6)} MiB  ${sha256}`);
}

async function verify(prefix: string, context: CliContext): Promise<void> {
  const { bundleAt, checkBootImage, readManifest } = await import('../../vm/boot-image.ts');
  const bundle = bundleAt(prefix);
  checkBootImage(bundle, { full: true });
  const known = readManifest(bundle) !== undefined;
  context.out(
    known
      ? `${prefix} is whole: kernel, initrd and command line are what the manifest says.`
      : `${prefix} can be started, as far as its first bytes tell; there is no manifest to compare with.`,
  );
}
