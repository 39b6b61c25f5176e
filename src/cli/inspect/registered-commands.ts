/** `machines` and `ssh-config`: what `configure` has told Nix and ssh of the builder, for other programs. */
import type { Command } from 'commander';
import { notConfigured } from '../../client/not-configured.ts';
import { Failed } from '../../system/failure.ts';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';

/** `machines`: our line of /etc/nix/machines. */
export function machinesCommand(command: Command, context: CliContext): void {
  shower(command, context, 'machines');
}

/** `ssh-config`: the file that leads ssh to the guest. */
export function sshConfigCommand(command: Command, context: CliContext): void {
  shower(command, context, 'sshConfig');
}

/** The file as it is; it names files that only the owner can read, and no secret is in it. */
function shower(command: Command, context: CliContext, file: 'machines' | 'sshConfig'): void {
  command.option(...directoryOption).action(async (options: DirectoryOption) => {
    const layout = layoutFor(options, context, 'look');
    const path = layout[file];
    const { readIfThere } = await import('../../system/files/files.ts');
    const text = readIfThere(path);
    if (text === undefined) throw new Failed(notConfigured(layout, path));
    context.out(text.trimEnd());
  });
}
