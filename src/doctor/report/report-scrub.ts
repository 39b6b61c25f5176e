/** What must not be in a report that somebody sends to strangers, taken out of its text. Pure. */
import { instance } from '../../config/instance.ts';

/** What is known to be somebody's, beside what is seen from its form. */
export interface Known {
  /** Names of people and machines, and directories, each with the word that stands for it. */
  readonly names: readonly (readonly [name: string, instead: string])[];
  /** Texts that others wrote, of whose words none shall be told: variables, settings of Nix, keys. */
  readonly texts: readonly string[];
}

const leftOut = '[left out]';

/** The text without what is secret in it, by its form or because it is known. */
export function scrubbed(text: string, { names, texts }: Known): string {
  const told = names.filter(([name]) => name.length >= shortestName && !common.has(name));
  const isPath = ([name]: readonly [string, string]) => name.startsWith('/');
  const words = [...new Set(texts.flatMap(secretWords))].map((word) => [word, leftOut] as const);
  const plain = forms.reduce((rest, [form, instead]) => rest.replaceAll(form, instead), text);
  const placed = without(plain, told.filter(isPath));
  const known = byLength(words).reduce((rest, [word]) => rest.replaceAll(word, leftOut), placed);
  return without(
    known,
    told.filter((name) => !isPath(name)),
  );
}

const without = (text: string, names: Known['names']): string =>
  byLength(names).reduce(
    (rest, [name, instead]) => rest.replaceAll(wholeName(name), instead),
    text,
  );

/** The longest first: a shorter one may be a part of it. */
const byLength = (names: Known['names']) => [...names].sort(([a], [b]) => b.length - a.length);

/** Shorter words are in every text. */
const shortestWord = 8;
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

const forms: readonly (readonly [RegExp, string])[] = [
  // Its lines end in a log as they do in a file, or as JSON writes that; the last one may be missing.
  [
    /-----BEGIN [A-Z ]*PRIVATE KEY-----((\r?\n|\\n)[A-Za-z0-9+/=]+)*((\r?\n|\\n)-----END [A-Z ]*PRIVATE KEY-----)?/g,
    leftOut,
  ],
  // Whatever a line says of these, it says it behind the word.
  [
    /\b(password|passwd|token|secret|authorization|access-tokens)(["']?\s*[:=]\s*).*/gi,
    `$1$2${leftOut}`,
  ],
  // The builder's own address and the pages that our own words name are nobody's.
  [
    new RegExp(
      `\\b[a-z][a-z0-9+.-]*://(?!builder@${instance.sshAlias}\\b|nixos\\.org/|github\\.com/NixOS/)[^\\s"'\`<>]+`,
      'gi',
    ),
    leftOut,
  ],
  // An address of somebody's network; this machine's own, and those that each guest has, tell nothing.
  [
    /(?<![\w.+~-])(?!127\.|0\.0\.0\.0|10\.0\.2\.|192\.168\.(?:65|127)\.|169\.254\.)\d{1,3}(?:\.\d{1,3}){3}(?![\w.+~-]*\w)/g,
    leftOut,
  ],
  [
    /(?<![\w:.])(?:(?:[\da-f]{1,4}:){3,7}[\da-f]{1,4}|(?:[\da-f]{1,4}:)+:[\da-f:]*)(?![\w:])/gi,
    leftOut,
  ],
  // Records that earlier releases have written repeat what a parser could not read, in several lines where the file had such.
  [/is (not (?:valid )?JSON|damaged)[ :](?:[^]{0,200}? is not valid JSON)?.*/g, `is $1 ${leftOut}`],
  // Of what is built the hash is enough.
  [/\b([0-9abcdfghijklmnpqrsvwxyz]{32})-[\w+.?=-]+/g, `$1-${leftOut}`],
];

/** Words of a text that may be secret: not those that every machine has in such files. Of an address also the host alone. */
const secretWords = (text: string): string[] =>
  text
    .split(/[\s"'`,;=]+/)
    .flatMap((word) => [word, ...hostsIn(word)])
    .filter((word) => word.length >= shortestWord && !usual.some((each) => each.test(word)));

const hostsIn = (word: string): string[] =>
  [...word.matchAll(/:\/\/(?:[^/@]*@)?([\w.-]+)/g)].flatMap(([, host]) => host ?? []);

const usual = [
  /^\w+-(linux|darwin)$/,
  /^@?\/(etc|usr|bin|nix|run|opt|dev)\b[\w./-]*$/,
  /^[a-z-]+$/,
  /^[\d.]+$/,
  /^C\.UTF-8$/,
  /^(cache\.)?nixos\.org$/,
];

/** Not as a part of another word. */
const wholeName = (name: string): RegExp =>
  new RegExp(`(?<![\\w-])${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w-])`, 'g');
