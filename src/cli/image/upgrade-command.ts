import type { Command } from 'commander';
import type { CliContext, Perform } from '../../command/context.ts';

/** `upgrade`: the word under which people look for `image update`, with all that goes with that. */
export function upgradeVerb(program: Command, context: CliContext, perform: Perform): void {
  program
    .command('upgrade')
    .description('update the image to the newest packages (same as: image update)')
    .argument('[options...]', 'options of image update')
    .allowUnknownOption()
    .action(async (options: string[]) =>
      context.exit(await perform(['image', 'update', ...options])),
    );
}
