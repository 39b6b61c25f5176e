import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { settings } from '../src/config/settings.ts';

const root = resolve(import.meta.dirname, '..');
const pages = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'launchd/README.md',
  'packaging/homebrew/README.md',
  ...filesUnder('docs').filter((name) => name.endsWith('.md')),
];
function filesUnder(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(
    (name) => `${folder}/${name}`,
  );
}
const textOf = (page: string) => readFileSync(join(root, page), 'utf8');

describe.each(pages)('%s', (page) => {
  test('links to pages that exist', () => {
    for (const [, target = ''] of textOf(page).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g))
      expect(existsSync(join(root, dirname(page), target)), target).toBe(true);
  });

  test('links to headings that exist', () => {
    for (const [, target = '', anchor = ''] of textOf(page).matchAll(/\]\(([^)#:]*)#([^)]*)\)/g))
      expect(anchorsOf(target === '' ? page : join(dirname(page), target)), target).toContain(
        anchor,
      );
  });

  test('names files of this project that exist', () => {
    for (const [, name = ''] of textOf(page).matchAll(
      /`((?:src|test|scripts|launchd)\/[\w./-]+)`/g,
    ))
      expect(existsSync(join(root, name)), name).toBe(true);
  });
});

describe('what the pages say a setting is', () => {
  const said = /`([a-z]\w+)(?:\.(\w+))?`\s+(?:is|to|set\s+to)\s+`([\w ]+)`/gi;
  const values = pages.flatMap((page) =>
    [...textOf(page).matchAll(said)].flatMap(([, name = '', field, word = '']) => {
      const value = word === 'true' || word === 'false' ? word === 'true' : word;
      return Object.hasOwn(settings, name) ? [{ page, name, field, value }] : [];
    }),
  );

  test('is found', () => expect(values.length).toBeGreaterThan(20));

  test.each(values)('can be set: $name $field $value ($page)', ({ name, field, value }) => {
    const { schema } = settings[name as keyof typeof settings];
    const given = field === undefined ? value : { [field]: value };
    expect(v.safeParse(schema as v.GenericSchema, given).issues).toBeUndefined();
  });
});

describe('the commands in the pages', () => {
  /** Of each command, its options, as --help has them; and one that only root's part uses. */
  const help = textOf('test/messages/cli-help.md').split(/^#+ /m);
  const options = new Map(
    help.flatMap((part) => {
      const command = /^of ([a-z -]+)\n/.exec(part)?.[1];
      const flags = [...part.matchAll(/(?<=\s)-(?:-[a-z-]+|[a-zA-Z](?=,))/g)].map(([flag]) => flag);
      return command === undefined ? [] : [[command, [...flags, '--root-part']] as const];
    }),
  );
  const named = pages.flatMap((page) =>
    [...textOf(page).matchAll(/`([^`]+)`|^ {4}(.+)$/gm)]
      .flatMap(([, quote, line = '']) => (quote ?? line.replace(/ # .*/, '')).split(/&&|[|;]/))
      .flatMap((text) => {
        const [words = ''] = text.replace(/\s+/g, ' ').split(' -- ');
        const given = /(?:^|[ /])linuxkit-builder ([a-z].*)/.exec(words)?.[1] ?? words.trim();
        // A bare `ssh` is OpenSSH's.
        const command = words.startsWith('ssh ') ? undefined : commandOf(given);
        return command === undefined ? [] : [{ page, command, given }];
      }),
  );
  function commandOf(given: string): string | undefined {
    const [first = '', second = ''] = given.split(' ');
    return [`${first} ${second}`, first].find((each) => options.has(each));
  }

  test('are found', () => expect(named.length).toBeGreaterThan(200));

  test.each(pages)('have options that exist: %s', (page) => {
    for (const { command, given } of named.filter((each) => each.page === page))
      for (const [flag] of given.matchAll(/(?<= )-(?:-[a-z-]+|[a-zA-Z](?= |$))/g))
        expect(options.get(command), given).toContain(flag);
  });
});

describe('docs/troubleshooting.md', () => {
  const program = filesUnder('src')
    .filter((file) => file.endsWith('.ts'))
    .map(textOf)
    .join('\n')
    .replaceAll("\\'", "'");
  // At the start of an entry, in bold: what a user reads, with dots for what differs. What others say has their name before it.
  const quotes = [...textOf('docs/troubleshooting.md').matchAll(/^- \*\*(?:`([^`]+)`|"([^"]+)")/gm)]
    .map(([, code, text]) => (code ?? text ?? '').replace(/\s+/g, ' '))
    .filter((quote) => quote.includes(' '));

  test.each(quotes)('quotes what the program says: %s', (quote) => {
    const isSaid = quote.split('...').every((part) => program.includes(part.trim()));
    expect(isSaid, 'The program says it in other words now: quote those.').toBe(true);
  });
});

describe('docs/behaviour.md', () => {
  const sentences = [...textOf('docs/behaviour.md').matchAll(/^(\d+)\. +(.*)$/gm)].map(
    ([, number = '', line = '']) => {
      const [, words = '', files = ''] = /^(.*) \(((?:`test\/[^`]+`(?:, )?)+)\)$/.exec(line) ?? [];
      const tests = [...files.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
      return { number: Number(number), words, tests };
    },
  );
  const tests = filesUnder('test').filter((name) => name.endsWith('.test.ts'));
  const quotes = tests.flatMap((file) => quotesIn(file, textOf(file)));

  test('is numbered without a gap, each sentence with its tests', () => {
    expect(sentences.length).toBeGreaterThan(20);
    expect(sentences.map(({ number }) => number)).toEqual(sentences.map((_, n) => n + 1));
    for (const { number, tests: named } of sentences) expect(named, `${number}`).not.toEqual([]);
  });

  test.each(sentences)(
    'sentence $number stands above a test in each file that it names',
    (each) => {
      const { number, words, tests: named } = each;
      for (const file of named)
        expect(quotes, `run: node scripts/number-behaviour.js`).toContainEqual({
          file,
          number,
          words,
          isAboveTest: true,
        });
    },
  );

  test('is all that the tests quote, where it says so', () => {
    const meant = sentences.flatMap(({ number, words, tests: named }) =>
      named.map((file) => ({ file, number, words, isAboveTest: true })),
    );
    for (const quote of quotes) expect(meant).toContainEqual(quote);
  });
});

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): readonly string[] {
  return [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replace(/ /g, '-'),
  );
}

/** Comments that begin with `Behaviour N:`, and whether a test stands below. */
function quotesIn(file: string, text: string) {
  const quote = /^ *\/\/ Behaviour (\d+): (.*(?:\n *\/\/ (?!Behaviour ).*)*)$/gm;
  return [...text.matchAll(quote)].map(({ 0: all, 1: number, 2: lines = '', index }) => ({
    file,
    number: Number(number),
    words: lines.replace(/\n *\/\/ /g, ' '),
    isAboveTest: /^(?:\n *\/\/ .*)*\n *(?:test|describe|holds)\b/.test(
      text.slice(index + all.length),
    ),
  }));
}
