import type { Command } from 'commander';
import type { CliContext } from '../../command/context.ts';
import type { OtherCommands } from '../command-row.ts';

/** `upgrade`: the word under which people look for `image update`, with all that goes with that. */
export function upgradeCommand(
  command: Command,
  context: CliContext,
  { perform }: OtherCommands,
): void {
  command
    .argument('[options...]', 'options of image update')
    .allowUnknownOption()
    .action(async (options: string[]) =>
      context.exit(await perform(['image', 'update', ...options])),
    );
}
