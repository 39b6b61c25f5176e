/** Each command of ours that a text names can be run: a misspelt command would be refused, and would be given no -d. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { examples } from '../../src/cli/shell/examples.ts';

// What commander writes is right by itself.
const pages = readdirSync(import.meta.dirname).filter(
  (name) => name.endsWith('.md') && name !== 'cli-help.md',
);
const commands = Object.keys(examples);
/** `image` alone is no command. */
const isWhole = (command: string) => !commands.some((other) => other.startsWith(`${command} `));
const command = new RegExp(String.raw`^(?:${commands.filter(isWhole).join('|')})(?![\w-])`);
/** What follows the name where it is the subject of a sentence, or a feature in a list. */
const prose = /^(?:block|cannot|closed|did|does|if|in|is|kvm|needs)\b/;

test.each(pages)('the commands in %s', (page) => {
  const text = readFileSync(join(import.meta.dirname, page), 'utf8');
  const named = [...text.matchAll(/\blinuxkit-builder ([a-z].*)/g)].map(([, words = '']) => words);
  expect(named.filter((words) => !command.test(words) && !prose.test(words))).toEqual([]);
});
