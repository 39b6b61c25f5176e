/**
 * What a guest boots, as files of the daemon's own: the image's kernel under another name, and the image's initrd with the seed
 * behind it. Nobody else writes them, so it boots what was looked at, whoever makes an image meanwhile. The next start takes them
 * again while nothing has changed that they were made from.
 */
import { constants, copyFileSync, linkSync, readFileSync, realpathSync, renameSync } from 'node:fs';
import type { Config } from '../config/config.ts';
import type { GuestNetwork } from '../config/guest-network.ts';
import type { Layout } from '../config/layout.ts';
import { readIdentity } from '../guest/identity.ts';
import { guestNixConf, writeInitrd } from '../guest/seed.ts';
import type { Clock } from '../system/clock.ts';
import { errorCode, Failed } from '../system/failure.ts';
import { cannotWrite, discard, versionOf } from '../system/files.ts';
import { bundleAt, type Bundle } from '../vm/bundle.ts';
import { imagesSeen, type ChosenImage } from './images.ts';

/** Everything that they depend on, beside the files of {@link imagesSeen} and the keys. */
export interface BootInput {
  readonly config: Config;
  readonly layout: Layout;
  /** Name of the VM driver. */
  readonly vm: string;
  readonly guest: GuestNetwork;
}

/** They are there. */
export interface Laid {
  readonly image: ChosenImage;
  readonly bundle: Bundle;
  /** The bundle's kernel command line. */
  readonly cmdline: string;
}

export class BootFiles {
  readonly #layout: Layout;
  readonly #clock: Clock;
  #laid: Laid | undefined;
  /** What they were made from, and what they were then. */
  #from = '';
  #are = '';

  constructor({ layout, clock }: { readonly layout: Layout; readonly clock: Clock }) {
    this.#layout = layout;
    this.#clock = clock;
  }

  /** Those of the start before, if the same would be made now; undefined otherwise. */
  again(input: BootInput): Laid | undefined {
    const isSame = this.#laid !== undefined && this.#are === this.#own();
    return isSame && this.#from === madeFrom(input) ? this.#laid : undefined;
  }

  /** Makes them from an image that was looked at. To be called within the section that serialises a start (layout.startLock). */
  lay(image: ChosenImage, input: BootInput): Laid {
    this.remove();
    const from = madeFrom(input);
    const bundle = bundleAt(image.prefix);
    putKernel(bundle.kernel, this.#layout.kernel);
    this.#writeInitrd(bundle, input);
    const cmdline = readFileSync(bundle.cmdline, 'utf8').trim();
    this.#from = from;
    this.#are = this.#own();
    return (this.#laid = { image, bundle, cmdline });
  }

  /** The initrd holds keys. */
  remove(): void {
    this.#laid = undefined;
    for (const path of [this.#layout.initrd, this.#layout.kernel]) discard(path);
  }

  #own(): string {
    return versionsOf([this.#layout.kernel, this.#layout.initrd]);
  }

  /** The settings behind the image's initrd: the image itself never changes with a setting. */
  #writeInitrd({ initrd }: Bundle, { config, layout, vm, guest }: BootInput): void {
    const { address, gateway, nameservers, mac } = guest;
    const keys = readIdentity(layout);
    writeInitrd({
      base: initrd,
      target: layout.initrd,
      seed: {
        hostName: 'linuxkit-builder',
        timeS: Math.floor(this.#clock.now() / 1000),
        ...{ address, gateway, nameservers },
        ...(mac === undefined ? {} : { mac }),
        vm,
        builderKeys: [keys.client.public],
        rootKeys: [keys.root.public],
        hostKey: keys.host,
        nixConf: guestNixConf(config),
      },
    });
  }
}

function madeFrom({ config, layout, vm, guest }: BootInput): string {
  const { clientKey, rootKey, hostKey } = layout;
  const files = [...imagesSeen(config, layout), clientKey, rootKey, hostKey];
  return `${JSON.stringify([config, vm, guest])} ${versionsOf(files)}`;
}

const versionsOf = (paths: readonly string[]): string => paths.map(versionOf).join();

/** As another name for the same bytes, which costs nothing; as a copy where the image is on another file system, or another user's. */
function putKernel(from: string, to: string): void {
  const unfinished = `${to}.new`;
  discard(unfinished);
  try {
    try {
      linkSync(realpathSync(from), unfinished);
    } catch {
      copyFileSync(from, unfinished, constants.COPYFILE_FICLONE);
    }
    renameSync(unfinished, to);
  } catch (error) {
    discard(unfinished);
    if (errorCode(error) === undefined) throw error;
    throw new Failed(cannotWrite(to, error), { cause: error });
  }
}
