/** The lines of ssh's configuration as they stand in files (ssh_config(5)), for whoever is to be told where something is; what they come to says ssh itself. */
import { readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { ReadText } from '../conf.ts';

/** A line that sets something. */
export interface ConfigLine {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** In small letters. */
  readonly keyword: string;
  /** What stands behind that. */
  readonly rest: string;
}

interface FilesWorld {
  readonly read: ReadText;
  /** What `~` means. */
  readonly home: string;
}

/** Those of files, and of what they include, each once, in ssh's order; whether or not they count for our host. */
export function configLines(
  files: readonly string[],
  { read, home }: FilesWorld,
): readonly ConfigLine[] {
  const seen = new Set<string>();
  // Names in a file that is included are in the folder of the first one, too.
  const look = (file: string, folder: string): readonly ConfigLine[] => {
    if (seen.has(file)) return [];
    seen.add(file);
    return (read(file) ?? '').split('\n').flatMap((text, index) => {
      const line = lineOf(text);
      if (line === undefined) return [];
      return line.keyword === 'include'
        ? namesOf(line.rest, folder, home).flatMap((name) => look(name, folder))
        : [{ file, line: index + 1, ...line }];
    });
  };
  return files.flatMap((file) => look(file, dirname(file)));
}

function lineOf(text: string): Pick<ConfigLine, 'keyword' | 'rest'> | undefined {
  // Without the blanks at the end: a form that looks for them goes through each row of blanks once for each blank in it.
  const [, keyword, rest = ''] = /^"?([A-Za-z0-9]+)"?(?:\s*=\s*|\s+)(.*)$/.exec(text.trim()) ?? [];
  return keyword === undefined ? undefined : { keyword: keyword.toLowerCase(), rest };
}

const namesOf = (words: string, folder: string, home: string): readonly string[] =>
  [...words.matchAll(/"([^"]*)"|(\S+)/g)]
    .map(([, quoted, bare]) => quoted ?? bare ?? '')
    .map((path) => (path.startsWith('~/') ? join(home, path.slice(2)) : resolve(folder, path)))
    .flatMap(matching);

/** The paths that a pattern stands for (glob(7)); of brackets any character. */
export const matching = (pattern: string): readonly string[] =>
  pattern
    .split('/')
    .slice(1)
    .reduce<readonly string[]>(
      (folders, part) =>
        /[*?[]/.test(part)
          ? folders.flatMap((folder) => namesIn(folder, part).map((name) => `${folder}/${name}`))
          : folders.map((folder) => `${folder}/${part}`),
      [''],
    );

function namesIn(folder: string, pattern: string): readonly string[] {
  const plain = pattern.replace(/\[[^\]]*\]?/g, '?').replace(/[.+^${}()|\]\\]/g, '\\$&');
  const form = new RegExp(`^${plain.replaceAll('*', '.*').replaceAll('?', '.')}$`);
  try {
    return readdirSync(`${folder}/`)
      .filter((name) => form.test(name) && name.startsWith('.') === pattern.startsWith('.'))
      .sort();
  } catch {
    // None, or not for us to read.
    return [];
  }
}

/** An option's older name, which ssh takes as well. */
export const olderNames: Readonly<Record<string, string>> = {
  pubkeyacceptedalgorithms: 'pubkeyacceptedkeytypes',
  hostbasedacceptedalgorithms: 'hostbasedkeytypes',
};

/** True of a line that sets an option, by its name in small letters. */
export const setsOption =
  (name: string) =>
  ({ keyword }: ConfigLine): boolean =>
    keyword === name || keyword === olderNames[name];

/** True of a Match that runs a command to know whether it counts. */
export const runsCommand = ({ keyword, rest }: ConfigLine): boolean =>
  keyword === 'match' && /(^|\s)!?exec[\s="]/i.test(rest.replace(/"[^"]*"/g, '""'));
