import { Argument, type Command } from 'commander';
import type { CliContext } from '../../command/context.ts';

/** `completion`: what makes a shell complete our verbs and options. */
export function completionVerb(program: Command, context: CliContext): void {
  program
    .command('completion')
    .description('print the completion script for a shell')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action(async (shell: string) => {
      const { completionScript, shells } = await import('./completion-scripts.ts');
      const known = shells.find((each) => each === shell);
      if (known !== undefined) context.out(completionScript(program, known).trimEnd());
    });
}

/** `man`: the manual page. */
export function manVerb(program: Command, context: CliContext): void {
  program
    .command('man')
    .description('print the manual page')
    .action(async () => {
      const { manPage } = await import('./man-page.ts');
      context.out(manPage(program, program.version() ?? '').trimEnd());
    });
}
