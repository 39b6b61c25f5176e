/** The files that a start boots from: those of the start before, or new ones as soon as there is room for them. */
import type { Config } from '../../config/config.ts';
import type { Verdicts } from '../../domain/verdicts.ts';
import type { Chosen } from '../../net/networks.ts';
import { Failed } from '../../system/failure.ts';
import { withOperationLock } from '../../system/lock/lock.ts';
import { bundleAt, checkBootImage, type BootImage } from '../../vm/boot-image.ts';
import { lackOf, room, roomAt, startInodes } from '../disk/disk-room.ts';
import type { Scope } from '../scope.ts';
import { endLeftovers } from '../stop/leftovers.ts';
import type { ChildContext } from '../children/launch-followed.ts';
import { chooseImage, imageFacts, type ChosenImage } from './image-choice.ts';
import { dropOld, refuseOld } from './image-floor.ts';
import { networkOf } from './launch-plan.ts';
import type { BootInput, StagedImage, Staging } from './staging.ts';
import { advice, ours, type Text } from '../../system/advice.ts';

/** What is known from the start before this one. */
export interface BootContext extends ChildContext {
  /** The children before these were seen to end: there is nothing left of them to look for. */
  readonly isClear: boolean;
  /** The start before this one did not get ready: what it booted may be another than it looks, so its hashes are compared. */
  readonly isDoubtful: boolean;
  /** What the start before this one booted. */
  readonly bootFiles: Staging;
  /** What is held against what. */
  readonly verdicts: Verdicts;
}

/** Those of the start before where they can be taken again, else new ones, for which nobody may be changing what they are made from. */
export async function bootFiles(
  context: BootContext,
  scope: Scope,
  { program, network }: { readonly program: string; readonly network: Chosen },
): Promise<StagedImage> {
  const { layout } = context;
  const { row } = scope.running.tried.driver;
  const input = inputOf(context, scope, network);
  // Its guest is paused before its writes fail, so that room is no condition of a start.
  const wanted = { bytes: row.pausesOnFullDisk ? 0 : room.start, inodes: startInodes };
  const hasEnough = () => lackOf(wanted, roomAt(layout.root)) === undefined;
  for (;;) {
    const same = context.isClear && hasEnough() ? context.bootFiles.reuse(input) : undefined;
    if (same !== undefined) take(same.image, context, scope);
    const staged = same ?? (await makeNew(context, scope, { program, input, hasEnough }));
    if (staged !== undefined) return staged;
    // They would only take some of the room that is waited for.
    context.bootFiles.remove();
    await scope.guest.vmPause.awaitRoom(wanted);
  }
}

function inputOf({ layout, verdicts }: BootContext, scope: Scope, network: Chosen): BootInput {
  const { name, row } = scope.running.tried.driver;
  const { guest } = networkOf(network, { layout });
  return { config: scope.config, layout, vm: name, row, guest, known: verdicts.all() };
}

/** From the image that is chosen now; undefined where there is no room for them. What an earlier daemon has left running ends first. */
function makeNew(
  context: BootContext,
  scope: Scope,
  what: {
    readonly program: string;
    readonly input: BootInput;
    readonly hasEnough: () => boolean;
  },
): Promise<StagedImage | undefined> {
  const { layout, clock, log } = context;
  const { config, signal } = scope;
  const { driver } = scope.running.tried;
  const { program, input, hasEnough } = what;
  const onWaiting = () => log('info', 'waiting-for-section', { path: layout.startLock });
  return withOperationLock(layout.startLock, { clock, signal, onWaiting }, async (lost) => {
    const image = chooseImage(config, layout, context.verdicts.all());
    if (image.prefixes !== undefined && dropOld(image.prefixes.good))
      log('info', 'old-image-dropped');
    take(image, context, scope);
    checkNamed(bundleAt(image.prefix), config, context.isDoubtful);
    const inTime = AbortSignal.any([signal, lost]);
    if (!context.isClear) await endLeftovers({ layout, driver, program, clock, log }, inTime);
    return hasEnough() ? context.bootFiles.stage(image, input) : undefined;
  });
}

/** It is the one of this start, if it is not too old. */
function take(image: ChosenImage, { log }: BootContext, { config, running, facts }: Scope): void {
  running.tried.image = image;
  const told = imageFacts(image);
  log('info', 'image', told);
  facts.note({ image: told });
  refuseOld(image.old, config);
}

/** The bundle is whole as far as a look can tell, or, in full, by its hashes. One that the config names is not made again by `image build`. */
function checkNamed(bundle: BootImage, { bundle: named, system }: Config, full: boolean): void {
  try {
    checkBootImage(bundle, { full, system });
  } catch (error) {
    if (named === undefined || !(error instanceof Failed)) throw error;
    throw new Failed({ ...error.failure, hint: namedHint(named) }, { cause: error });
  }
}

/** `prefix`: as the setting `bundle` has it. */
export const namedHint = (prefix: string): Text =>
  advice`config.json names it as the bundle ${prefix}. Correct that, or remove the line and make an image: ${ours('image build')}`;
