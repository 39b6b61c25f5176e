import type { Command } from 'commander';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';
import type { OtherCommands } from '../command-row.ts';

interface UpOptions extends DirectoryOption {
  readonly install?: boolean;
}

/** `up`: the main job, from nothing to a derivation that was built in the guest. What is done is not done twice. */
export function upCommand(command: Command, context: CliContext, { perform }: OtherCommands): void {
  command
    .option(...directoryOption)
    .option('--install', 'install missing programs')
    .action(async (options: UpOptions) => {
      const layout = layoutFor(options, context);
      const { bringUp } = await import('./up.ts');
      const where = options.directory === undefined ? [] : ['--directory', layout.root];
      context.exit(
        await bringUp(layout, context, {
          install: options.install === true,
          perform: (words) => perform([...words, ...where]),
        }),
      );
    });
}
