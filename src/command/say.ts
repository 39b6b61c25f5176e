import type { Failure } from '../system/failure.ts';
import { shellWord } from '../system/shell.ts';

/** A failure for a person: what happened, the facts, what to do. */
export function failureLines({ message, hint, lines, quotes }: Failure): string[] {
  return [
    `linuxkit-builder: ${message}`,
    ...(lines ?? []).map((line) => `  ${line}`),
    ...(quotes === undefined ? [] : [`  ${quotes}`]),
    ...(hint === '' ? [] : [`  ${hint}`]),
  ];
}

/** The same line for somebody whose builder is not in the usual place: the commands in it name the place. `verbs`: as they are typed. */
export function withDirectory(
  line: string,
  { directory, verbs }: { readonly directory: string; readonly verbs: readonly string[] },
): string {
  const commands = new RegExp(
    String.raw`\blinuxkit-builder (?:${verbs.join('|')})(?! -d)(?![\w-])`,
    'g',
  );
  return line.replace(commands, (command) => `${command} -d ${shellWord(directory)}`);
}
