/** What the console's lines say about a boot. Pure. The lines are a contract: docs/guest-contract.md. */
import { Exit, type Failure } from '../../system/failure.ts';
import { quoted } from '../../system/plain-text.ts';

/** A console line that we recognise as boot progress, or as its end. */
export type Milestone =
  | { readonly type: 'kernel'; readonly version: string }
  | { readonly type: 'stage'; readonly name: string; readonly uptimeS: number }
  /** Something that not every boot does, such as `disk-check`. */
  | { readonly type: 'note'; readonly name: string; readonly uptimeS: number }
  | {
      readonly type: 'failed';
      readonly name: string;
      readonly reason: string;
      /** Guest uptime. */
      readonly uptimeS: number;
    }
  | { readonly type: 'panic'; readonly text: string };

/** Every stage of a boot in its order (the last three may swap), and what it means that it came. */
const sentences: ReadonlyMap<string, string> = new Map([
  ['init', 'the kernel runs and has started the image'],
  ['seed', 'the guest has read its keys and settings'],
  ['root', 'the root file system is mounted'],
  ['disk', 'the data disk is checked and mounted'],
  ['network', 'the network is up'],
  ['agent', 'the guest agent listens'],
  ['nix', 'nix-daemon listens'],
  ['sshd', 'sshd listens'],
]);

/** The names of the stages that every boot shows, in their order. */
export const stages: readonly string[] = [...sentences.keys()];

/** What it means that a stage came: half a sentence, to be read after "The guest boots:". */
export const describeStage = (name: string): string =>
  sentences.get(name) ?? `it has reached '${name}'`;

/** The milestone in a line, if there is one. A kernel's time stamp may stand before it. */
export function readLine(text: string): Milestone | undefined {
  const line = text.replace(prefix, '').trimEnd();
  const said =
    /^linuxkit-builder: (stage|note)=([a-z][a-z0-9-]{0,31}) uptime=(\d{1,9}(?:\.\d{1,9})?)$/.exec(
      line,
    );
  if (said !== null)
    return {
      type: said[1] === 'stage' ? 'stage' : 'note',
      name: word(said[2]),
      uptimeS: Number(said[3]),
    };
  const failed =
    /^linuxkit-builder: failed=([a-z][a-z0-9-]{0,31}) uptime=(\d{1,9}(?:\.\d{1,9})?)(?: reason=(.*))?$/.exec(
      line,
    );
  if (failed !== null)
    return {
      type: 'failed',
      name: word(failed[1]),
      uptimeS: Number(failed[2]),
      reason: word(failed[3]),
    };
  const panic = /^Kernel panic - not syncing:? ?(.*)$/.exec(line);
  if (panic !== null) return { type: 'panic', text: word(panic[1]) };
  // The kernel's first line: firmware leaves words without an end before it.
  const kernel = /(?:^|\[ *\d+\.\d{6}\] )Linux version (\S+)/.exec(line);
  return kernel === null ? undefined : { type: 'kernel', version: word(kernel[1]) };
}

/** What a guest that gave up at a stage means to the user. lines: the console's last words. */
export function failureOfStage(
  { name, reason }: { readonly name: string; readonly reason: string },
  lines: readonly string[] = [],
): Failure {
  const known = failures.get(name);
  // Whoever is root in the guest chose these words: they are told as the guest's, not as ours.
  const words = quoted(reason);
  const said = words === undefined ? '' : ` The guest says: "${words}".`;
  return {
    kind: `guest-${name}`,
    message: `${known?.message ?? `The guest stopped its boot at '${name}'.`}${said}`,
    hint: known?.hint ?? 'Its last lines are in: linuxkit-builder console.',
    exit: Exit.unavailable,
    recovery: known === undefined ? 'retry' : 'give-up',
    // What is wrong with a disk is wrong for every image.
    ...(name.startsWith('disk-') ? {} : { blames: 'image' }),
    lines,
  };
}

const makeImage = 'Make the image again: linuxkit-builder image build.';
const diskHint =
  'To begin with an empty disk, move the file nix-disk out of the state directory; a new one is made at the next start.';

const failures: ReadonlyMap<string, Pick<Failure, 'message' | 'hint'>> = new Map(
  Object.entries({
    'seed-missing': {
      message: 'The guest found no keys and settings behind its initrd.',
      hint: `${makeImage} For an image of your own see docs/guest-contract.md, "The seed".`,
    },
    'root-broken': {
      message: "The guest could not mount its image's root file system.",
      hint: makeImage,
    },
    'disk-missing': {
      message: 'The guest found no data disk.',
      hint: 'An image of your own needs the drivers virtio_pci and virtio_blk; ours has them: linuxkit-builder image build.',
    },
    'disk-foreign': {
      message: 'The data disk holds something that is not ours, and was left alone.',
      hint: diskHint,
    },
    'disk-broken': {
      message:
        'The file system of the data disk has errors that are not safe to repair unseen; it was left alone.',
      hint: `Keep a copy of the file nix-disk and run e2fsck on it by hand. ${diskHint}`,
    },
    'fence-broken': {
      message:
        "The guest could not keep its builds from this machine's own network, and did not go on without.",
      hint: makeImage,
    },
    'network-missing': {
      message: 'The guest found no network card.',
      hint: 'An image of your own needs the driver virtio_net; ours has it: linuxkit-builder image build.',
    },
  }),
);

/** What may stand before a line's own text: a serial console's carriage return; printk's level, time stamp and caller. */
const prefix = /^[\r ]*(?:(?:<\d+>)?\[ *\d+\.\d{6}\](?:\[ *[TC]\d+\])? )?/;

const word = (match: string | undefined): string => match ?? '';
