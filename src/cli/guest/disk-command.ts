/** `disk reset`, `disk keep`: what becomes of the guest's store. */
import { rmSync } from 'node:fs';
import type { Command } from 'commander';
import type { Layout } from '../../config/layout.ts';
import { Exit, Failed } from '../../system/failure.ts';
import { sizeIfThere } from '../../system/files/files.ts';
import { waitingForOther } from '../../command/announce-slow.ts';
import { withOperationLock } from '../../system/lock/lock.ts';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';
import { advice, ours } from '../../system/advice.ts';

interface ResetOptions extends DirectoryOption {
  readonly yes?: boolean;
}

/** `disk reset` and `disk keep`. */
export function diskCommands(disk: Command, context: CliContext): void {
  disk
    .command('reset')
    .description("delete the guest's disk and nothing else; the next start creates a new one")
    .option('-y, --yes', 'do not ask for confirmation')
    .option(...directoryOption)
    .action((options: ResetOptions) => reset(layoutFor(options, context), options, context));
  disk
    .command('keep')
    .description(
      'keep a disk whose guest had a Nix that let builds become root, and stop warning about it',
    )
    .option(...directoryOption)
    .action(async (options: DirectoryOption) => {
      const { recordKept } = await import('../../supervisor/disk/disk-record.ts');
      recordKept(layoutFor(options, context));
      context.out('Keeping the disk. There will be no more warnings about it.');
    });
}

async function reset(layout: Layout, { yes }: ResetOptions, context: CliContext): Promise<void> {
  if (sizeIfThere(layout.disk) === undefined) return context.out(noDisk);
  const { diskLoss } = await import('../../host/purge.ts');
  const { isLocked } = await import('../../system/lock/lock.ts');
  const { discardSaved } = await import('../../supervisor/idle/saved-guest.ts');
  const { forgetRejection } = await import('../../supervisor/start/image-choice.ts');
  const inUse = () => isLocked(layout.vmLock) || isLocked(layout.daemonLock);
  if (inUse()) throw new Failed(diskInUse);
  if (yes !== true && !(await mayDelete(diskLoss(layout) ?? '', layout, context))) return;
  const { clock, signal } = context;
  const onWaiting = () => context.err(waitingForOther);
  await withOperationLock(layout.startLock, { clock, signal, onWaiting }, () => {
    if (inUse()) throw new Failed(diskInUse);
    // The record last: killed in between, an old record tells of a disk that is gone, and a blank one clears it.
    discardSaved(layout);
    rmSync(layout.disk, { force: true });
    rmSync(layout.diskRecord, { force: true });
    // What was on it may have kept a new image from getting ready.
    forgetRejection(layout);
    return Promise.resolve();
  });
  context.out(deletedDisk);
}

async function mayDelete(what: string, { root }: Layout, context: CliContext): Promise<boolean> {
  if (!process.stdin.isTTY || !context.isTTY)
    throw new Failed({
      kind: 'needs-yes',
      message: `disk reset would delete ${what} in ${root}. Nothing was changed.`,
      hint: 'This is not a terminal, so nobody can confirm that. If you are sure, add --yes.',
      exit: Exit.usage,
    });
  const { isYes } = await import('../../command/ask.ts');
  if (await isYes(`Delete ${what} in ${root}?`, context)) return true;
  context.err(nothingChanged);
  return false;
}

export const noDisk = 'There is no disk to delete.';
export const deletedDisk = advice`Deleted the disk. The next start creates a new one: ${ours('start')}`;
/** The person said no. */
export const nothingChanged = 'Nothing was changed.';

/** `disk reset` beside a daemon. As a failure. */
export const diskInUse = {
  kind: 'disk-in-use',
  message: 'The daemon is running, and its guest uses the disk. Nothing was changed.',
  hint: advice`Stop it first: ${ours('stop')}`,
  exit: Exit.temporary,
};
