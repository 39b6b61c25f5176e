/** What the console's lines say about a boot. Pure. The lines are a contract: docs/guest-contract.md. */
import { Exit, type Failure } from '../../system/failure.ts';
import { inMarks } from '../../system/plain-text.ts';
import { advice, ours } from '../../system/advice.ts';

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
  ['init', 'the kernel is running and has started the image'],
  ['seed', 'the guest has read its keys and settings'],
  ['root', 'the root file system is mounted'],
  ['disk', 'the data disk is checked and mounted'],
  ['network', 'the network is up'],
  ['agent', 'the guest agent is listening'],
  ['nix', 'nix-daemon is listening'],
  ['sshd', 'sshd is listening'],
]);

/** The names of the stages that every boot shows, in their order. */
export const stages: readonly string[] = [...sentences.keys()];

/** What it means that a stage came: half a sentence, to be read after "The guest boots:". */
export const describeStage = (name: string): string =>
  sentences.get(name) ?? `it has reached the stage '${name}'`;

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
  const words = inMarks(reason);
  const said = words === undefined ? '' : ` The guest said: ${words}.`;
  return {
    kind: `guest-${name}`,
    message: `${known?.message ?? `The guest stopped booting at the stage '${name}'.`}${said}`,
    hint: known?.hint ?? advice`See the guest's last lines: ${ours('console')}`,
    exit: Exit.unavailable,
    recovery: known === undefined ? 'retry' : 'give-up',
    ...(known?.vmFault !== undefined && { vmFault: known.vmFault }),
    // What is wrong with a disk is wrong for every image.
    ...(name.startsWith('disk-') ? {} : { blames: 'image' }),
    lines,
  };
}

const makeImage = advice`Rebuild the image: ${ours('image build')}`;
const diskHint =
  'To start with an empty disk, move the file nix-disk out of the state directory; the next start creates a new one.';

type StageFailure = Pick<Failure, 'message' | 'hint' | 'vmFault'>;

const failures: ReadonlyMap<string, StageFailure> = new Map(
  Object.entries<StageFailure>({
    'seed-missing': {
      message: 'The guest found no keys and settings after its initrd.',
      hint: advice`${makeImage}. For an image of your own, see docs/guest-contract.md, "The seed".`,
    },
    'root-broken': {
      message: "The guest could not mount its image's root file system.",
      hint: makeImage,
    },
    'disk-missing': {
      vmFault: 'devices',
      message: 'The guest found no data disk.',
      hint: advice`An image of your own needs the drivers virtio_pci and virtio_blk. To use the standard image, which has them: ${ours('image build')}`,
    },
    'disk-foreign': {
      vmFault: 'none',
      message:
        'The data disk contains something that linuxkit-builder did not put there. It was not changed.',
      hint: diskHint,
    },
    'disk-broken': {
      vmFault: 'none',
      message:
        'The file system of the data disk has errors that cannot be repaired safely without you. It was not changed.',
      hint: `Make a copy of the file nix-disk, then run e2fsck on it. ${diskHint}`,
    },
    'fence-broken': {
      message:
        "The guest could not block its builds' access to this machine's own network, so it stopped booting.",
      hint: makeImage,
    },
    'network-missing': {
      vmFault: 'devices',
      message: 'The guest found no network card.',
      hint: advice`An image of your own needs the driver virtio_net. To use the standard image, which has it: ${ours('image build')}`,
    },
  }),
);

/** What may stand before a line's own text: a serial console's carriage return; printk's level, time stamp and caller. */
const prefix = /^[\r ]*(?:(?:<\d+>)?\[ *\d+\.\d{6}\](?:\[ *[TC]\d+\])? )?/;

const word = (match: string | undefined): string => match ?? '';
