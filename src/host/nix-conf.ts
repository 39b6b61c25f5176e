/** What a nix.conf says about builders: only read, never written. */
import { dirname, resolve } from 'node:path';

/** Gives the text of an included file, or undefined if it cannot be read. */
export type ReadText = (path: string) => string | undefined;

/**
 * The value of `builders` that counts, or undefined where nothing is said and Nix's own default (`@` and its machines file)
 * holds. The last definition wins; includes are followed where they stand.
 */
export function buildersSetting(path: string, read: ReadText): string | undefined {
  return settingsOf(path, read, []).findLast(({ name }) => name === 'builders')?.value;
}

/** True when that value keeps Nix from reading the machines file. */
export function hides(builders: string | undefined, machinesFile: string): boolean {
  if (builders === undefined) return false;
  return !builders.split(/[\n;]/).some((entry) => entry.trim() === `@${machinesFile}`);
}

interface Setting {
  readonly name: string;
  readonly value: string;
}

function settingsOf(path: string, read: ReadText, within: readonly string[]): Setting[] {
  // Nix itself would go round for ever.
  if (within.includes(path)) return [];
  const lines = (read(path) ?? '').split('\n').map((line) => line.replace(/#.*/, '').trim());
  return lines.flatMap((line): Setting[] => {
    const [first = '', ...rest] = line.split(/\s+/);
    if (first === 'include' || first === '!include')
      return settingsOf(resolve(dirname(path), rest.join(' ')), read, [...within, path]);
    return rest[0] === '=' ? [{ name: first, value: rest.slice(1).join(' ') }] : [];
  });
}
