/** What must not be in a report that somebody sends to strangers, taken out of its text. Pure. */
import { asShown, leftOut, wholeWord, withoutForms } from './report-forms.ts';
import { longWord, wordsOfSecret, wordsOfText, wordsOfValue } from './report-words.ts';

/** What is known to be somebody's, beside what is seen from its form. */
export interface KnownSecrets {
  /** Names of people and machines, and directories, each with the word that stands for it. */
  readonly names: readonly (readonly [name: string, instead: string])[];
  /** What is secret as a whole: passwords, tokens, addresses with a login. */
  readonly secrets: readonly string[];
  /** What somebody has chosen: values of variables, and of settings that nobody knows. */
  readonly values: readonly string[];
  /** Files that others wrote, for Nix and ssh, of whose words only the usual ones are told. */
  readonly texts: readonly string[];
}

/** The text without what is secret in it, by its form or because it is known. */
export function scrubbed(text: string, { names, secrets, values, texts }: KnownSecrets): string {
  const told = names.filter(([name]) => name.length >= shortestName && !common.has(name));
  const isPath = ([name]: readonly [string, string]) => name.startsWith('/');
  const words = [
    ...secrets.flatMap(wordsOfSecret),
    ...values.flatMap(wordsOfValue),
    ...texts.flatMap(wordsOfText),
  ]
    .flatMap((word) => [word, JSON.stringify(word).slice(1, -1)])
    .map(asShown)
    // Of a word of nothing but colours nothing is left.
    .filter((word) => word.length > shortestName);
  // A directory first: what it is in may be left out by its form.
  const placed = without(asShown(text), told.filter(isPath));
  const known = longestFirst([...new Set(words)]).reduce(
    (rest, word) => rest.replaceAll(word.length < longWord ? wholeWord(word) : word, leftOut),
    withoutForms(placed),
  );
  return without(
    known,
    told.filter((name) => !isPath(name)),
  );
}

const without = (text: string, names: KnownSecrets['names']): string => {
  const instead = new Map(names);
  return longestFirst([...instead.keys()]).reduce(
    (rest, name) => rest.replaceAll(wholeWord(name), instead.get(name) ?? leftOut),
    text,
  );
};

/** A shorter one may be a part of a longer one. */
const longestFirst = (words: readonly string[]) => [...words].sort((a, b) => b.length - a.length);

/** A shorter one is in too many words to be taken out of all of them. */
const shortestName = 3;

/** Names of users and machines that are words of ours as well. */
const common: ReadonlySet<string> = new Set([
  'root',
  'nix',
  'builder',
  'user',
  'linux',
  'localhost',
]);
