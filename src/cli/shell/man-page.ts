/** The manual page, made from the commands themselves: man(7). Pure. */
import type { Command } from 'commander';
import { instance } from '../../config/instance.ts';
import { examples, exitCodes } from './examples.ts';
import { shownCommands } from './shown-commands.ts';

/** linuxkit-builder(1), as roff. */
export function manPage(program: Command, version: string): string {
  const name = program.name();
  const lines = [
    `.TH ${name.toUpperCase()} 1 "" "${name} ${roff(version)}"`,
    '.SH NAME',
    `${name} \\- ${roff(asPhrase(program.description()))}`,
    '.SH SYNOPSIS',
    `.B ${name}`,
    '.I command',
    '[options]',
    '.SH COMMANDS',
    ...shownCommands(program).flatMap((command) => commandUsage(command, name, command.name())),
    '.SH EXIT STATUS',
    ...exitCodes.flatMap(([code, what]) => ['.TP', `.B ${code}`, roff(what)]),
    '.SH ENVIRONMENT',
    ...environment.flatMap(([variable, what]) => ['.TP', `.B ${variable}`, roff(what)]),
    '.SH FILES',
    '.TP',
    `.I ${roff(`~/.cache/${instance.stateDirectory}/`)}`,
    'the state directory; only its owner can read it',
    '.TP',
    `.I ${roff(`/etc/nix/${instance.rootDirectory}/`)}`,
    "what root's ssh needs, and a record of what unconfigure has to undo",
    '.SH SEE ALSO',
    '.BR nix (1),',
    '.BR ssh_config (5),',
    '.BR launchctl (1),',
    '.BR systemctl (1)',
  ];
  return `${lines.join('\n')}\n`;
}

/** A sentence as a phrase: without its capital and its full stop. The names in it keep theirs. */
function asPhrase(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1).replace(/\.$/, '');
}

const environment: readonly (readonly [string, string])[] = [
  ['LINUXKIT_BUILDER_DIR', 'the state directory, unless an option names one'],
  ['XDG_CACHE_HOME', 'the parent of the state directory (default: ~/.cache)'],
  ['NO_COLOR', 'if set and not empty, do not use colours'],
];

function commandUsage(command: Command, program: string, words: string): string[] {
  const usage = `${words} ${command.usage()}`;
  const options = command.options
    .filter(({ hidden }) => !hidden)
    .flatMap(({ flags, description }) => ['.TP', `.B ${roff(flags)}`, roff(description)]);
  const shownExamples = (examples[words] ?? []).flatMap(([line, what]) => [
    '.PP',
    `${roff(what)}:`,
    '.PP',
    '.EX',
    `    ${roff(`${program} ${line}`)}`,
    '.EE',
  ]);
  return [
    `.SS "${roff(usage).replaceAll('"', '""')}"`,
    roff(`${command.description()}.`),
    ...options,
    ...shownExamples,
    ...shownCommands(command).flatMap((below) =>
      commandUsage(below, program, `${words} ${below.name()}`),
    ),
  ];
}

/** Text as troff takes it: no line of it begins a request, and a hyphen is one. */
const roff = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/, '\\&$1');
