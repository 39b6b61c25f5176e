/** `keys renew`: for whoever fears that a key was copied. */
import type { Command } from 'commander';
import { Exit, Failed } from '../../system/failure.ts';
import { isSetUp, notSetUp } from '../../config/not-set-up.ts';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';
import { advice, ours } from '../../system/advice.ts';

interface RenewOptions extends DirectoryOption {
  /** False with --no-root. */
  readonly root: boolean;
}

/** `keys renew`. */
export function keysCommands(keys: Command, context: CliContext): void {
  keys
    .command('renew')
    .description("replace all keys: yours, root's and the guest's; the disk is kept")
    .option('--no-root', "do not change root's files; print the script that does it")
    .option(...directoryOption)
    .action(async (options: RenewOptions) => {
      const layout = layoutFor(options, context);
      if (!isSetUp(layout)) throw new Failed(notSetUp(layout));
      const { isLocked } = await import('../../system/lock/lock.ts');
      // Who runs with the old ones would be refused by everybody who has the new.
      if ([layout.vmLock, layout.daemonLock].some(isLocked)) throw new Failed(keysInUse);
      const { runConfigure } = await import('../../setup/configure/configure.ts');
      const { root } = layout;
      const nothing = { asked: {}, reset: [], takeOver: false, dryRun: false, json: false };
      const flags = { ...nothing, root, verbose: false, quiet: false, skipRoot: !options.root };
      await runConfigure({ ...flags, renewKeys: true }, context);
    });
}

/** A guest that runs with the old keys would be refused by everybody who has the new. */
export const keysInUse = {
  kind: 'keys-in-use',
  message: 'The daemon is running, and its guest uses the keys. Nothing was changed.',
  hint: advice`Stop it first: ${ours('stop')}`,
  exit: Exit.temporary,
};
