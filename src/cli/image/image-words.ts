/** What the commands of the image say. Pure. */
import { counted } from '../../domain/counted.ts';
import type { Failure } from '../../system/failure.ts';
import type { Built } from '../../image/build.ts';
import type { Manifest } from '../../vm/boot-image.ts';
import type { ImageNews } from '../../vm/image-age.ts';
import { mebibytes } from '../../command/progress.ts';
import { advice, ours, type Text } from '../../system/advice.ts';

/** Said before a wait: two writers of one file would spoil it for both. */
export const waitingForFetch = 'Another `image build` is fetching packages; waiting for it.';

/** What came of a build, in a line with the image's kernel, suite and size. */
export function describeBuilt(
  prefix: string,
  { manifest, fresh }: Pick<Built, 'fresh' | 'manifest'>,
): string {
  const sizes = Object.values(manifest.files).map((file) => file?.size ?? 0);
  const size = mebibytes(sizes.reduce((sum, each) => sum + each, 0));
  const what = `Linux ${manifest.kernelVersion}, Debian ${manifest.suite}, ${size} MiB`;
  return fresh ? `Built ${prefix} (${what}).` : `${prefix} is up to date (${what}).`;
}

/** When it is used; `rejected`: why the image that it replaces was given up. */
export function nextStartWords(rejected: Pick<Failure, 'message'> | undefined): Text {
  const before = rejected === undefined ? '' : ` It failed to boot before: ${rejected.message}`;
  return advice`The guest will use this image from its next start on (${ours('restart')}).${before}`;
}

/** What an image was built from. */
export function infoLines(prefix: string, manifest: Manifest | undefined): string[] {
  if (manifest === undefined)
    return [prefix, '  no manifest: this image was not made by `image build`'];
  const { arch, kernelVersion, suite, indexDate, squashfs, packages, files } = manifest;
  const suites = manifest.suites ?? [{ codename: suite, indexDate, expired: undefined }];
  return [
    prefix,
    `  Linux ${kernelVersion} for ${arch}`,
    `  ${counted(Object.keys(packages).length, 'Debian package')}`,
    ...suites.map(
      ({ codename, indexDate: date, expired }) =>
        `    ${codename.padEnd(16)} ${date}${expired === undefined ? '' : `, expired on ${expired}`}`,
    ),
    `  root file system made by ${squashfs.tool} ${squashfs.version}`,
    ...Object.entries(files).flatMap(([name, file]) =>
      file === undefined
        ? []
        : [`  ${name.padEnd(8)} ${mebibytes(file.size).padStart(6)} MiB  ${file.sha256}`],
    ),
  ];
}

/** `isKnown`: there was a manifest to compare it with. */
export const verifiedWords = (prefix: string, isKnown: boolean): string =>
  isKnown
    ? `${prefix} is complete and unchanged: kernel, initrd and command line match the manifest.`
    : `${prefix} looks bootable, but has no manifest to compare it with.`;

/** `image update --check` has nothing to compare with. */
export const noArchive = 'The image has no packages from a security archive.';

/** What `image update --check` found. */
export function newsWords({ newer, securityDate }: ImageNews): Text {
  const archive = `Debian's security archive of ${securityDate}`;
  if (newer === 0) return `${archive} has no newer packages.`;
  const what = newer === 1 ? 'a newer version of 1 package' : `newer versions of ${newer} packages`;
  return advice`${archive} has ${what}. Build an image from them: ${ours('image update')}`;
}
