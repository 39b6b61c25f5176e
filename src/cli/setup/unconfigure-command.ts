import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { defaultStateDirectory } from '../../config/layout.ts';
import { isSame } from '../../host/known-directory.ts';
import { Exit, Failed } from '../../system/failure.ts';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';
import { buildsOption, nowOption, type EndOptions } from '../../client/wait-for-builds.ts';

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
export function unconfigureVerb(program: Command, context: CliContext): void {
  program
    .command('unconfigure')
    .alias('uninstall')
    .description('stop the daemon and undo everything that configure did outside its own directory')
    .option(...directoryOption)
    .option('--purge', "delete the guest's disk, the keys and the images too")
    .option('-y, --yes', 'do not ask before deleting those')
    .option(...nowOption)
    .option(...buildsOption)
    .option('--dry-run', 'tell everything that would be undone, and undo nothing')
    .option('--no-root', "leave root's files, and print the script that undoes them")
    .option('--owner-gone', "for an administrator: root's part alone, whoever's builder it is")
    .addOption(new Option('--root-part', "as root, for another user: root's part").hideHelp())
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
        throw new Failed({
          kind: 'directory-not-named',
          message: `--purge would delete what is in ${layout.root}, which nobody named; nothing was changed.`,
          hint: `If that is what you want, say so: -d '${layout.root}'.`,
          exit: Exit.usage,
        });
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
