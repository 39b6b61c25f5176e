/** `image build`, `image info`, `image verify`: the guest's image, made and looked at. */
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import type { Layout } from '../../config/layout.ts';
import { isSetUp, notSetUp } from '../../config/not-set-up.ts';
import { builtImage } from '../../config/image-prefix.ts';
import { debianArch, nativeSystem, systemNames, type System } from '../../domain/guest-system.ts';
import { notEmpty } from '../../command/option-values.ts';
import { Failed } from '../../system/failure.ts';
import { readIfThere } from '../../system/files/files.ts';
import { fieldsOf } from '../../system/socket/json-lines.ts';
import type { Arch } from '../../image/recipe.ts';
import type { BuildCommandOptions } from './build-image.ts';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';
import { infoLines, verifiedWords } from './image-words.ts';

interface InfoOptions extends DirectoryOption {
  readonly json?: boolean;
}

/** `image build`, `image update`, `image info` and `image verify`. */
export function imageCommands(image: Command, context: CliContext): void {
  addBuild(image, context);
  image
    .command('info [prefix]')
    .description('show what an image was built from')
    .option('--json', 'print JSON')
    .option(...directoryOption)
    .action((prefix: string | undefined, options: InfoOptions) =>
      info(prefixFor(prefix, options, context), options, context),
    );
  image
    .command('verify [prefix]')
    .description('check that the files of an image are complete and unchanged')
    .option(...directoryOption)
    .action((prefix: string | undefined, options: DirectoryOption) =>
      verify(prefixFor(prefix, options, context), context),
    );
}

/** What has to do with where packages come from. */
const sourceOptions = (command: Command): Command =>
  command
    .option(
      '--mirror <url>',
      "Debian mirror (default: this machine's own, otherwise an official one)",
    )
    .option(
      '--security-mirror <url>',
      "mirror of Debian's security archive (default: this machine's own, otherwise the Debian mirror with -security appended)",
    )
    .option(
      '--snapshots <url>',
      'where to get files that the mirror no longer has; {path} and {sha256} are replaced by those of the file',
    )
    .option('--accept-expired-index', 'accept package indexes whose validity period has ended')
    .addOption(
      new Option(
        '--arch <arch>',
        "architecture of the guest (default: as configured, otherwise this machine's)",
      ).choices(['amd64', 'arm64']),
    )
    .option('-q, --quiet', 'print only warnings and errors')
    .option(...directoryOption);

type Sources = Omit<BuildCommandOptions, 'arch' | 'update'> & { readonly arch?: Arch };

function addBuild(image: Command, context: CliContext): void {
  const build = async (options: Sources, update: BuildCommandOptions['update']) => {
    const { refuseNarrow } = await import('../../image/http/wasm-room.ts');
    refuseNarrow();
    const { buildCommand } = await import('./build-image.ts');
    const layout = layoutFor(options, context);
    // Nobody has a use for an image that is only updated, and it is a large download.
    if (update === 'state' && !isSetUp(layout)) throw new Failed(notSetUp(layout));
    const { system: usual, snapshots } = configured(layout);
    const system = options.arch === undefined ? usual : systemOf(options.arch);
    const all = { ...(snapshots === undefined ? {} : { snapshots }), ...options };
    const arch = debianArch(system);
    await buildCommand({ ...all, arch, update }, layout, system, context);
  };
  sourceOptions(
    image
      .command('build')
      .description('build the image from signed Debian packages, unless it is up to date'),
  )
    .option('--update', "first update the package lock from the mirrors' signed indexes")
    .option(
      '-o, --output <prefix>',
      'path prefix of the files (default: in the state directory)',
      notEmpty,
    )
    .action((options: Sources & { readonly update?: boolean }) =>
      build(options, options.update === true && 'own'),
    );
  sourceOptions(
    image
      .command('update')
      .description(
        'build the image from the newest packages; the guest uses it from its next start on',
      ),
  )
    .option('--check', 'only check whether newer packages are available')
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
    // Broken settings are no obstacle to an image.
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
  for (const line of infoLines(prefix, manifest)) context.out(line);
}

async function verify(prefix: string, context: CliContext): Promise<void> {
  const { bundleAt, checkBootImage, readManifest } = await import('../../vm/boot-image.ts');
  const bundle = bundleAt(prefix);
  checkBootImage(bundle, { full: true });
  context.out(verifiedWords(prefix, readManifest(bundle) !== undefined));
}
