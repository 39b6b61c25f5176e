/** What a configuration of ssh comes to, as `ssh -G` lists it (ssh(1)): one `keyword value` a line, keywords in small letters. Pure. */
import { olderNames } from './config-lines.ts';

/** An option that comes from somebody else's lines, and not from ours. */
export interface StrayOption {
  /** In small letters, as ssh lists it. */
  readonly name: string;
  readonly value: string;
}

/** What all of the configuration says for a host beyond what our own file alone says; both are listings. */
export function strayOptions(ours: string, all: string): readonly StrayOption[] {
  const known = new Set(lines(ours));
  return lines(all)
    .filter((line) => !known.has(line))
    .map((line) => {
      const space = line.indexOf(' ');
      return space < 0
        ? { name: line, value: '' }
        : { name: line.slice(0, space), value: line.slice(space + 1) };
    });
}

/** Variables that ssh sends to the host of a listing (SendEnv, SetEnv), without their values, which may be secrets; but not those for language and colours. */
export function variablesSent(listing: string): readonly string[] {
  const sent = lines(listing).flatMap(
    (line) => /^(?:sendenv|setenv) ([^=\s]+)/.exec(line)?.[1] ?? [],
  );
  return [...new Set(sent)].filter((name) => !harmless.test(name));
}

/** The configurations of Debian, Fedora and Apple send some of them. */
const harmless = /^(LANG(UAGE)?|LC_.*|XMODIFIERS|TERM|COLORTERM|NO_COLOR)$/;

/**
 * Whether all of a configuration says what one file of it sets, first and in the same order: `text` is that file, `alone` and `all` are
 * listings by it and by all. What others add behind that is theirs.
 */
export function saysAllOf({
  text,
  alone,
  all,
}: {
  readonly text: string;
  readonly alone: string;
  readonly all: string;
}): boolean {
  const newer = new Map(Object.entries(olderNames).map(([name, older]) => [older, name]));
  const names = new Set(
    lines(text).map((line) => {
      const name = (line.split(/[\s=]/, 1)[0] ?? '').toLowerCase();
      return newer.get(name) ?? name;
    }),
  );
  const valuesOf = (listing: string, name: string) =>
    lines(listing).filter((line) => line.split(' ', 1)[0] === name);
  // Somebody may have emptied it.
  if (!names.has('hostkeyalias')) return false;
  return [...names].every((name) => {
    const values = valuesOf(all, name);
    return valuesOf(alone, name).every((line, index) => values[index] === line);
  });
}

const lines = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
