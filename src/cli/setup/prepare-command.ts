/** `prepare`: what a configuration that declares the daemon (NixOS, nix-darwin, home-manager) has done before it is started. */
import type { Command } from 'commander';
import { layoutOf } from '../../config/layout.ts';
import { checkTrust } from '../../host/directory/state-directory.ts';
import {
  directoryMeant,
  directoryOption,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';
import type { PrepareOptions } from '../../setup/prepare.ts';

type Options = DirectoryOption & PrepareOptions;

/** `prepare`, which no help shows: modules of Nix configurations call it. */
export function prepareCommand(command: Command, context: CliContext): void {
  command
    .option(...directoryOption)
    .requiredOption('--settings <file>', 'the new config.json')
    .option('--shared', "let the group of the state directory use the daemon's control socket")
    .action(async (options: Options) => {
      const layout = layoutOf(directoryMeant(options, context));
      checkTrust(layout, 'change', (line) => context.err(line));
      const { prepare } = await import('../../setup/prepare.ts');
      context.out(await prepare(layout, options, context));
    });
}
