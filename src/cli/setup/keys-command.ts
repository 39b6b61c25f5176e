/** `keys renew`: for whoever fears that a key was copied. */
import type { Command } from 'commander';
import { declaredBuilder } from '../../host/directory/known-directory.ts';
import type { Installed } from '../../host/installed.ts';
import { rootPaths, systemPathsOf } from '../../host/system-paths.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { layoutOf } from '../../config/layout.ts';
import { isSetUp, notSetUp } from '../../config/not-set-up.ts';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';
import { advice, ours, oursIn } from '../../system/advice.ts';
import { quotedWord, shellWord } from '../../system/shell.ts';

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
      // As one that asks: a member of the group, who may not change anything there, is told the module's way at once.
      const { root } = layoutFor(options, context, 'ask');
      refuseDeclared(root, context);
      const layout = layoutFor({ directory: root }, context);
      if (!isSetUp(layout)) throw new Failed(notSetUp(layout));
      const { isLocked } = await import('../../system/lock/lock.ts');
      // Who runs with the old ones would be refused by everybody who has the new.
      if ([layout.vmLock, layout.daemonLock].some(isLocked)) throw new Failed(keysInUse);
      const { runConfigure } = await import('../../setup/configure/configure.ts');
      const nothing = { asked: {}, reset: [], takeOver: false, dryRun: false, json: false };
      const flags = { ...nothing, root, verbose: false, quiet: false, skipRoot: !options.root };
      await runConfigure({ ...flags, renewKeys: true }, context);
    });
}

/** A module's account has no way to write root's files: it would have new keys, and they the old ones. */
function refuseDeclared(root: string, { env }: CliContext): void {
  const systemPaths = systemPathsOf(env['LINUXKIT_BUILDER_TREE']);
  const declared = declaredBuilder(systemPaths);
  if (declared?.owner.directory === root)
    throw new Failed(keysDeclared(declared, rootPaths(systemPaths).clientKey));
}

/** `rootKey`: root's own, which the module makes again as well. */
export function keysDeclared({ owner, declared }: Installed, rootKey: string): Failure {
  const by = declared?.by ?? 'another program';
  const { directory } = owner;
  const stop = `sudo -u ${shellWord(owner.name)} ${oursIn(quotedWord(directory), 'stop')}`;
  const remove = `sudo rm -r ${quotedWord(layoutOf(directory).keys)} ${quotedWord(rootKey)}`;
  return {
    kind: 'builder-declared',
    message: `This machine's builder is declared by ${by}, which makes its keys and writes root's files; this command cannot replace them. Nothing was changed.`,
    hint: `To have ${by} make new keys, stop the daemon: ${stop}. Delete the keys: ${remove}. Then activate your configuration, and restart the daemon: ${declared?.restart ?? ''}`,
    exit: Exit.noPermission,
  };
}

/** A guest that runs with the old keys would be refused by everybody who has the new. */
export const keysInUse = {
  kind: 'keys-in-use',
  message: 'The daemon is running, and its guest uses the keys. Nothing was changed.',
  hint: advice`Stop it first: ${ours('stop')}`,
  exit: Exit.temporary,
};
