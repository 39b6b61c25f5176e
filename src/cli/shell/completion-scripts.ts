/** Completion scripts made from the commands themselves: bash, zsh, fish. Pure. */
import type { Command, Option } from 'commander';
import { quotedWord } from '../../system/shell.ts';
import { shownCommands } from './shown-commands.ts';

/** Those that there is a script for. */
export const shells = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof shells)[number];

/** The script that a shell reads. */
export function completionScript(program: Command, shell: Shell): string {
  const commands = commandsOf(program, []);
  return { bash, zsh, fish }[shell](program.name(), commands);
}

interface ShownCommand {
  /** `image build` has two. */
  readonly words: readonly string[];
  readonly description: string;
  readonly options: readonly Option[];
  readonly commands: readonly string[];
}

/** The program itself first, then every command that is shown to people, and the commands below it. */
function commandsOf(command: Command, words: readonly string[]): ShownCommand[] {
  const below = shownCommands(command);
  const entry: ShownCommand = {
    words,
    description: command.description(),
    options: command.options.filter(({ hidden }) => !hidden),
    commands: below.map((each) => each.name()),
  };
  return [entry, ...below.flatMap((each) => commandsOf(each, [...words, each.name()]))];
}

const flagsOf = ({ options }: ShownCommand): string[] =>
  options.flatMap(({ short, long }) => [short, long]).filter((flag) => flag !== undefined);

/** Options after which a path is written. */
const takesPath = ({ flags }: Option): boolean => /<(dir|prefix|file|url)>/.test(flags);

function bash(name: string, commands: readonly ShownCommand[]): string {
  const cases = commands.map(
    (command) =>
      `        ${quotedWord(command.words.join(' '))}) words=${quotedWord([...command.commands, ...flagsOf(command)].join(' '))} ;;`,
  );
  const paths = [...new Set(commands.flatMap(({ options }) => options.filter(takesPath)))]
    .flatMap(({ short, long }) => [short, long])
    .filter((flag) => flag !== undefined);
  const known = commands
    .filter(({ words }) => words.length > 0)
    .map(({ words }) => words.join(' '));
  return `# bash completion for ${name}: source it, or put it into bash-completion's directory.
_${identifier(name)}() {
    local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command= word words
    for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case " \${command:+$command }$word" in
${known.map((words) => `        ${quotedWord(` ${words}`)}) command=${quotedWord(words)} ;;`).join('\n')}
        esac
    done
    case "$prev" in
        ${[...new Set(paths)].join('|')}) compopt -o filenames 2>/dev/null; words= ;;
        *) words=1 ;;
    esac
    # The bash of macOS is 3.2: no mapfile, no compopt.
    local IFS=$'\\n'
    if [ -z "$words" ]; then COMPREPLY=($(compgen -f -- "$cur")); return; fi
    case "$command" in
${cases.join('\n')}
    esac
    IFS=$' \\n' COMPREPLY=($(IFS=' '; compgen -W "$words" -- "$cur"))
}
complete -F _${identifier(name)} ${name}
`;
}

function zsh(name: string, commands: readonly ShownCommand[]): string {
  const functions = commands.map((command) => {
    const options = command.options.flatMap((option) =>
      [option.short, option.long]
        .filter((flag) => flag !== undefined)
        .map((flag) => {
          const value = /[<[]/.test(option.flags)
            ? `:value:${takesPath(option) ? '_files' : ''}`
            : '';
          return quotedWord(`${flag}[${bracketed(option.description)}]${value}`);
        }),
    );
    const below = commands.filter(
      ({ words }) =>
        words.length === command.words.length + 1 &&
        words.join(' ').startsWith(command.words.join(' ')),
    );
    const list = below.map(({ words, description }) =>
      quotedWord(`${words.at(-1) ?? ''}:${description.replaceAll(':', '\\:')}`),
    );
    const rest =
      list.length === 0 ? ["'*:file:_files'"] : ["'1:command:->command'", "'*::arg:->arg'"];
    const states =
      list.length === 0
        ? ''
        : `
    case $state in
        command) local -a commands=(${list.join(' ')}); _describe command commands ;;
        arg) case $words[1] in
${below.map(({ words }) => `            ${words.at(-1) ?? ''}) ${functionOf(name, words)} ;;`).join('\n')}
        esac ;;
    esac`;
    return `${functionOf(name, command.words)}() {
    local state
    _arguments -C ${[...options, ...rest].join(' ')}${states}
}`;
  });
  return `#compdef ${name}
# zsh completion for ${name}: put it into a directory of your $fpath as _${name}.
${functions.join('\n')}
${functionOf(name, [])} "$@"
`;
}

function fish(name: string, commands: readonly ShownCommand[]): string {
  const lines = commands.flatMap((command) => {
    const when = quotedWord(condition(command));
    const options = command.options.map((option) => {
      const flags = [
        ...(option.short === undefined ? [] : [`-s ${option.short.slice(1)}`]),
        ...(option.long === undefined ? [] : [`-l ${option.long.slice(2)}`]),
      ].join(' ');
      const value = takesPath(option) ? ' -r -F' : /</.test(option.flags) ? ' -x' : '';
      return `complete -c ${name} -n ${when} ${flags}${value} -d ${quotedWord(option.description)}`;
    });
    const below = commands.filter(
      ({ words }) =>
        words.length === command.words.length + 1 &&
        words.slice(0, -1).join(' ') === command.words.join(' '),
    );
    const list = below.map(
      ({ words, description }) =>
        `complete -c ${name} -n ${when} -f -a ${words.at(-1) ?? ''} -d ${quotedWord(description)}`,
    );
    return [...list, ...options];
  });
  return `# fish completion for ${name}: put it into ~/.config/fish/completions/${name}.fish\n${lines.join('\n')}\n`;
}

const condition = ({ words, commands }: ShownCommand): string =>
  words.length === 0
    ? '__fish_use_subcommand'
    : [
        ...words.map((word) => `__fish_seen_subcommand_from ${word}`),
        ...(commands.length === 0 ? [] : [`not __fish_seen_subcommand_from ${commands.join(' ')}`]),
      ].join('; and ');

const identifier = (text: string): string => text.replaceAll(/\W/g, '_');
const functionOf = (name: string, words: readonly string[]): string =>
  `_${identifier([name, ...words].join('_'))}`;
const bracketed = (text: string): string => text.replaceAll(/([[\]:\\])/g, '\\$1');
