import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { defaultStateDirectory } from '../../config/layout.ts';
import { isSame } from '../../host/directory/known-directory.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';
import { buildsOption, nowOption, type EndOptions } from '../../client/builds-option.ts';
import { quotedWord } from '../../system/shell.ts';

interface Options extends DirectoryOption, EndOptions {
  readonly purge?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  /** False with --no-root. */
  readonly root: boolean;
  readonly ownerGone?: boolean;
  readonly rootPart?: boolean;
}

/** `unconfigure`: undoes what configure did outside the state directory; with --purge deletes that too. */
export function unconfigureCommand(command: Command, context: CliContext): void {
  command
    .option(...directoryOption)
    .option('--purge', "also delete the guest's disk, the keys and the images")
    .option('-y, --yes', 'do not ask for confirmation')
    .option(...nowOption)
    .option(...buildsOption)
    .option('--dry-run', 'show everything that would be undone, without undoing it')
    .option('--no-root', "do not change root's files; print the script that does it")
    .option('--owner-gone', "for administrators: remove only root's part, whoever owns the builder")
    .addOption(new Option('--root-part').hideHelp())
    .action(async ({ rootPart, ownerGone, directory, ...options }: Options) => {
      if (rootPart === true || ownerGone === true) {
        const { performRemoval } = await import('../../setup/root/as-root.ts');
        return performRemoval(context, { ownerGone: ownerGone === true });
      }
      const layout = layoutFor(
        directory === undefined ? {} : { directory: resolve(directory) },
        context,
      );
      const usual = defaultStateDirectory(context.env, context.home);
      const isNamed = directory !== undefined || context.env['LINUXKIT_BUILDER_DIR'] !== undefined;
      if (options.purge === true && !isNamed && !isSame(layout.root, usual))
        throw new Failed(directoryNotNamed(layout.root));
      const { runUnconfigure } = await import('../../setup/unconfigure/unconfigure.ts');
      await runUnconfigure(layout, context, {
        purge: options.purge === true,
        yes: options.yes === true,
        dryRun: options.dryRun === true,
        skipRoot: !options.root,
        end: { timeout: options.timeout, now: options.now === true },
      });
    });
}

/** What was found, and not named, is not deleted. */
export const directoryNotNamed = (root: string): Failure => ({
  kind: 'directory-not-named',
  message: `--purge would delete everything in ${root}, which was not named. Nothing was changed.`,
  hint: `To delete it, name it: -d ${quotedWord(root)}`,
  exit: Exit.usage,
});
