/** What is to be said of an image and of an accelerator. Pure. */
import type { Manifest } from '../../vm/boot-image.ts';
import { describeAge, type ImageAge } from '../../vm/image-age.ts';
import type { CheckVerdict } from '../check-runner.ts';
import { advice, joinTexts, ours, type Text } from '../../system/advice.ts';

interface ImageFacts {
  readonly manifest: Pick<Manifest, 'kernelVersion'> | undefined;
  /** It is too old to be started, unless that is accepted. */
  readonly old: { readonly why: string; readonly isAccepted: boolean } | undefined;
  /** Why the one before it is used. */
  readonly rejected: { readonly at: string; readonly message: string } | undefined;
  /** Of the one that is used. */
  readonly age: ImageAge | undefined;
}

/** What keeps it from being started comes first, then what is used in its place, then its age. */
export function judgeImage(
  prefix: string,
  { manifest, old, rejected, age }: ImageFacts,
): CheckVerdict {
  if (old !== undefined) return tooOld(prefix, old);
  if (rejected !== undefined)
    return {
      kind: 'note',
      code: 'image-rejected',
      fact: `the newest image failed to boot (${rejected.at}), so the previous one is used`,
      why: advice`${rejected.message} To rebuild it or try it again: ${build}`,
    };
  const words = age && describeAge(age);
  if (manifest === undefined)
    return {
      kind: 'note',
      code: 'image-without-manifest',
      fact: prefix,
      why: 'It has no manifest to compare its files with.',
    };
  return words === undefined
    ? { kind: 'good', fact: `Linux ${manifest.kernelVersion}, all files unchanged` }
    : {
        kind: 'note',
        code: 'image-behind',
        fact: `Linux ${manifest.kernelVersion}`,
        why: advice`${words}.`,
      };
}

const build = ours('image build');

const tooOld = (
  prefix: string,
  { why, isAccepted }: NonNullable<ImageFacts['old']>,
): CheckVerdict =>
  isAccepted
    ? {
        kind: 'note',
        code: 'image-old-accepted',
        fact: prefix,
        why: advice`${why}. To build a new one: ${build}`,
      }
    : {
        kind: 'bad',
        code: 'image-too-old',
        what: `The image ${prefix} is too old to be started.`,
        why: `${why}.`,
        remedy: build,
      };

/** A VM program that has one way only: nothing is to be tried. */
export const alwaysHardware = (name: string): CheckVerdict => ({
  kind: 'good',
  fact: `${name} always uses hardware acceleration`,
});

/** `rejected`: why nothing faster is used. `lacked`: what the guest does without. */
export const emulation = (rejected: readonly Text[], lacked: readonly string[]): CheckVerdict => ({
  kind: 'note',
  code: 'emulated',
  fact: 'tcg: software emulation',
  why: joinTexts(
    [
      'Builds are about ten times slower.',
      ...lacked.map((words) => `Also, ${words}.`),
      ...rejected,
    ],
    ' ',
  ),
});
