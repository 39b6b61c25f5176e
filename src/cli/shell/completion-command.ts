import { Argument, type Command } from 'commander';
import type { CliContext } from '../../command/context.ts';
import type { OtherCommands } from '../command-row.ts';

/** `completion`: what makes a shell complete our commands and options. */
export function completionCommand(
  command: Command,
  context: CliContext,
  others: OtherCommands,
): void {
  command
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action(async (shell: string) => {
      const { completionScript, shells } = await import('./completion-scripts.ts');
      const known = shells.find((each) => each === shell);
      if (known !== undefined)
        context.out(completionScript(await others.program(), known).trimEnd());
    });
}

/** `man`: the manual page. */
export function manCommand(command: Command, context: CliContext, others: OtherCommands): void {
  command.action(async () => {
    const { manPage } = await import('./man-page.ts');
    context.out(manPage(await others.program(), context.version ?? '').trimEnd());
  });
}
