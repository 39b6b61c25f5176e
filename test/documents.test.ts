import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const textOf = (page: string) => readFileSync(join(root, page), 'utf8');

describe.each(pages)('%s', (page) => {
  test('links to pages that exist', () => {
    for (const [, target = ''] of textOf(page).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g))
      expect(existsSync(join(root, dirname(page), target)), target).toBe(true);
  });

  test('names files of this project that exist', () => {
    for (const [, name = ''] of textOf(page).matchAll(
      /`((?:src|test|scripts|launchd)\/[\w./-]+)`/g,
    ))
      expect(existsSync(join(root, name)), name).toBe(true);
  });
});

test('the sentences of docs/behaviour.md are numbered without a gap, each with its test', () => {
  const sentences = [...textOf('docs/behaviour.md').matchAll(/^(\d+)\. (.*)$/gm)];
  expect(sentences.length).toBeGreaterThan(20);
  sentences.forEach(([, number, sentence], index) => {
    expect(Number(number)).toBe(index + 1);
    expect(sentence, number).toMatch(/\(`test\/[^`]+`(, `test\/[^`]+`)*\)$/);
  });
});
