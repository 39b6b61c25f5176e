// Numbers the sentences of docs/behaviour.md in their order, and their quotes in the tests by their words.
// usage: node scripts/number-behaviour.js   after a sentence was put in, moved or taken out
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';

const root = join(import.meta.dirname, '..');
const page = join(root, 'docs/behaviour.md');
const numbers = new Map();
rewrite(page, (text) =>
  text.replace(/^\d+\. +(.*?)(?= \(`test\/)/gm, (_, sentence) => {
    numbers.set(sentence, numbers.size + 1);
    return `${numbers.size}. ${sentence}`;
  }),
);
// A number of three digits may be followed by two spaces.
writeFileSync(
  page,
  await format(readFileSync(page, 'utf8'), { ...(await resolveConfig(page)), filepath: page }),
);
for (const name of readdirSync(join(root, 'test'), { recursive: true }))
  if (name.endsWith('.test.ts'))
    rewrite(join(root, 'test', name), (text) =>
      text.replace(/\/\/ Behaviour (\d+): .*(\n *\/\/ (?!Behaviour ).*)*/g, (quote, old) => {
        const words = quote.replace(/\n *\/\/ /g, ' ').replace(/^\/\/ Behaviour \d+: /, '');
        return quote.replace(`Behaviour ${old}:`, `Behaviour ${numbers.get(words) ?? old}:`);
      }),
    );

function rewrite(path, change) {
  const text = readFileSync(path, 'utf8');
  const changed = change(text);
  if (changed !== text) writeFileSync(path, changed);
}
