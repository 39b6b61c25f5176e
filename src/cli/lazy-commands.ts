/** The commands of the program: each as its row knows it, and in full once it is asked for. */
import { Help, type Command } from 'commander';
import type { CliContext, Perform } from '../command/context.ts';
import type { CommandRow } from './command-row.ts';
import { commandGroups } from './commands.ts';

/** Defines these commands in full, which is done once for each. */
type DefineAll = (commands: readonly Command[]) => Promise<void>;

/** Adds all of them. They inherit what is set of the program until now. */
export function addCommands(program: Command, context: CliContext, perform: Perform): DefineAll {
  const rows = addRows(program);
  program.commandsGroup('Use:').helpCommand(...helpOfCommand);
  // Commander looks at the options and arguments of a command, which it does not have before it is defined.
  program.configureHelp({ subcommandTerm: (command) => termOf(command, rows.get(command)) });
  const defined = new Set<Command>();
  const define = async (command: Command, row: CommandRow) => {
    defined.add(command);
    const [fill, { exampleHelp }] = await Promise.all([row.load(), import('./shell/examples.ts')]);
    fill(command, context, { perform, program: wholeProgram });
    addHelp(command, (words) => exampleHelp(program.name(), words));
  };
  const defineAll: DefineAll = async (commands) => {
    for (const command of commands) {
      const row = rows.get(command);
      if (row !== undefined && !defined.has(command)) await define(command, row);
    }
  };
  const wholeProgram = async () => {
    await defineAll(program.commands);
    return program;
  };
  return defineAll;
}

/** The command that these words call, in a list of its own: what stands before the first that is a name can only be `help`, or wrong. */
export function calledIn(argv: readonly string[], { commands }: Command): readonly Command[] {
  const isCalled = (word: string) => (command: Command) =>
    command.name() === word || command.aliases().includes(word);
  return argv.flatMap((word) => commands.find(isCalled(word)) ?? []).slice(0, 1);
}

function addRows(program: Command): ReadonlyMap<Command, CommandRow> {
  const rows = new Map<Command, CommandRow>();
  for (const [heading, group] of Object.entries(commandGroups)) {
    program.commandsGroup(heading);
    for (const row of group) {
      const command = program.command(row.name, { hidden: row.hidden === true });
      command.description(row.summary);
      if (row.alias !== undefined) command.alias(row.alias);
      rows.set(command, row);
    }
  }
  return rows;
}

/** How the help of the program shows a command; one without a row is commander's own. */
function termOf(command: Command, row: CommandRow | undefined): string {
  if (row === undefined) return new Help().subcommandTerm(command);
  const { name, alias, usage = '[options]' } = row;
  return [alias === undefined ? name : `${name}|${alias}`, usage].join(' ').trimEnd();
}

/** Of a command, and of those below it: how it is called, and examples. */
function addHelp(command: Command, examplesOf: (words: string) => string): void {
  const name = command.name();
  command
    .showHelpAfterError(`(run linuxkit-builder ${name} --help for usage)`)
    .addHelpText('after', examplesOf(name));
  if (command.commands.length > 0) command.helpCommand(...helpOfCommand);
  for (const below of command.commands)
    below.addHelpText('after', examplesOf(`${name} ${below.name()}`));
}

const helpOfCommand = ['help [command]', 'show the help of a command'] as const;
