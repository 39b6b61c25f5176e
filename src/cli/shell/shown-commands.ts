/** What completion and the manual page tell people of. */
import type { Command } from 'commander';

/** The commands below that one which are not hidden; `help` is commander's own. */
export const shownCommands = (command: Command): Command[] =>
  command
    .createHelp()
    .visibleCommands(command)
    .filter((each) => each.name() !== 'help');
