/**
 * What a guest boots, as files of the daemon's own: the image's kernel under another name, and the image's initrd with the seed
 * behind it; for a program that boots an image in parts, those too. Nobody else writes them, so it boots what was looked at, whoever
 * makes an image meanwhile. The next start takes them again while the same would be made.
 */
import { readFileSync } from 'node:fs';
import { waitsForStart } from '../../config/config-changes.ts';
import type { Config } from '../../config/config.ts';
import type { GuestNetwork } from '../../domain/guest-network.ts';
import { instance } from '../../config/instance.ts';
import type { Layout } from '../../config/layout.ts';
import type { VmProgram } from '../../domain/vm-programs.ts';
import { readIdentity } from '../../guest/identity/identity.ts';
import { fenceRules } from '../../guest/agent/fence.ts';
import { builderKeys, GuestKeys, keysVersion } from './builder-keys.ts';
import { guestNixConf, writeInitrd, type Seed } from '../../guest/identity/seed.ts';
import type { Clock } from '../../system/time/clock.ts';
import type { Log } from '../../system/log.ts';
import { discard, putCopy } from '../../system/files/files.ts';
import { modeOf, versionOf } from '../../system/files/stamp.ts';
import type { Verdict } from '../../domain/verdicts.ts';
import { bundleAt, partsOf, type BootImage, type BootParts } from '../../vm/boot-image.ts';
import { chooseImage, type ChosenImage } from './image-choice.ts';

/** Everything that they depend on, beside the image and the keys. */
export interface BootInput {
  readonly config: Config;
  readonly layout: Layout;
  /** Name of the VM program, and where its guest is reached. */
  readonly vm: string;
  readonly row: Pick<VmProgram, 'agent' | 'ssh' | 'bootsParts'>;
  readonly guest: GuestNetwork;
  /** What is held against an image; by default what is written. */
  readonly known?: readonly Verdict[] | undefined;
}

/** They are there. */
export interface StagedImage {
  readonly image: ChosenImage;
  /** The image's, but for the kernel: that is ours. */
  readonly bundle: BootImage;
  /** What of it the program can boot in parts. */
  readonly parts: BootParts;
  /** The bundle's kernel command line. */
  readonly cmdline: string;
  /** All that they were made from: the same for the same image, settings and keys. */
  readonly madeFrom: string;
  /** Of the keys of those who may build, as {@link keysVersion} has it. */
  readonly keys: string;
}

/** Whose files they are. */
export interface StagingOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  /** Whether the state directory is still the one that we have locked: it may be moved or deleted under us. */
  readonly isOurs: () => boolean;
  readonly log?: Log;
  /** As {@link KeySources} has it. */
  readonly rootsKey?: () => string | undefined;
}

/** One for a daemon's life: a start that follows another takes its files, where nothing has changed. */
export class Staging {
  readonly #options: StagingOptions;
  /** For a guest that runs: who may build, as it is now. */
  readonly keys: GuestKeys;
  #staged: StagedImage | undefined;
  /** What they were made from, and what they were then. */
  #from = '';
  #are = '';

  constructor(options: StagingOptions) {
    this.#options = options;
    this.keys = new GuestKeys(options);
  }

  /** Those of the start before, if the same would be made now; undefined otherwise. */
  reuse(input: BootInput): StagedImage | undefined {
    if (this.#staged === undefined || this.#are !== this.#own()) return undefined;
    // Which one is good may be another by now.
    const image = chooseImage(input.config, input.layout, input.known);
    return this.#from === this.#madeFrom(image, input) ? { ...this.#staged, image } : undefined;
  }

  /** Makes them from an image that was looked at. To be called within the section that serialises a start (layout.startLock). */
  stage(image: ChosenImage, input: BootInput): StagedImage {
    const from = this.#madeFrom(image, input);
    const keys = keysVersion(this.#options);
    const theirs = bundleAt(image.prefix);
    const parts = partsOf(theirs, input.row);
    // Who names a bundle may write into its files; those of `image build` are only ever replaced.
    this.#put(theirs, parts, { canLink: image.prefixes !== undefined });
    this.#writeInitrd(theirs, parts, this.#seed(input));
    const cmdline = readFileSync(theirs.cmdline, 'utf8').trim();
    this.#from = from;
    this.#are = this.#own();
    const bundle = { ...theirs, kernel: this.#options.layout.kernel };
    return (this.#staged = { image, bundle, parts, cmdline, madeFrom: from, keys });
  }

  /** All but the initrd. What the image has not, or the program does not boot, is none of the last program's either. */
  #put(
    theirs: BootImage,
    { isUnpacked, root }: BootParts,
    how: { readonly canLink: boolean },
  ): void {
    const { kernel, unpacked, rootImage } = this.#options.layout;
    putCopy(theirs.kernel, kernel, how);
    if (isUnpacked) putCopy(theirs.unpacked, unpacked, how);
    else discard(unpacked);
    if (root !== undefined) putCopy(theirs.initrd, rootImage, how);
    else discard(rootImage);
  }

  /** Takes them away where nothing follows by itself: the initrd holds keys, and is large. */
  remove(): void {
    this.#staged = undefined;
    const { layout, isOurs } = this.#options;
    if (isOurs()) for (const path of bootFilesIn(layout)) discard(path);
  }

  #writeInitrd({ initrd }: BootImage, { root }: BootParts, seed: Seed): void {
    writeInitrd({
      base: initrd,
      baseBytes: root?.stage1,
      target: this.#options.layout.initrd,
      seed,
    });
  }

  #madeFrom({ prefix }: ChosenImage, { config, layout, vm, row, guest }: BootInput): string {
    const { kernel, initrd, cmdline, manifest, unpacked } = bundleAt(prefix);
    const { clientKey, rootKey, hostKey } = layout;
    const files = [kernel, initrd, cmdline, manifest, unpacked, rootKey, hostKey];
    // What no start takes makes no difference to what a guest boots.
    const settings = Object.entries(config).filter(([name]) => waitsForStart({ name }));
    const { agent, ssh, bootsParts } = row;
    const all = [prefix, settings, vm, agent, ssh, bootsParts, guest, keysVersion(this.#options)];
    // A key that others can read by now is not taken.
    const modes = [clientKey, rootKey, hostKey].map(modeOf).join();
    return `${JSON.stringify(all)} ${versionsOf(files)} ${modes}`;
  }

  #own(): string {
    return versionsOf(bootFilesIn(this.#options.layout));
  }

  /** The settings: the image itself never changes with one. */
  #seed({ config, layout, vm, row, guest }: BootInput): Seed {
    const { address, gateway, nameservers, mac } = guest;
    const keys = readIdentity(layout);
    return {
      hostName: instance.hostName,
      timeS: Math.floor(this.#options.clock.now() / 1000),
      address,
      gateway,
      nameservers,
      ...(mac === undefined ? {} : { mac }),
      vm,
      agent: row.agent,
      ssh: row.ssh,
      builderKeys: builderKeys(this.#options),
      rootKeys: [keys.root.public],
      hostKey: keys.host,
      nixConf: guestNixConf(config),
      fence: fenceRules({
        address,
        nameservers,
        hostPorts: config.hostPorts,
        lan: config.buildsReachLan,
      }),
    };
  }
}

const bootFilesIn = ({ initrd, kernel, unpacked, rootImage }: Layout): readonly string[] => [
  initrd,
  kernel,
  unpacked,
  rootImage,
];

const versionsOf = (paths: readonly string[]): string =>
  paths.map((path) => versionOf(path)).join();
