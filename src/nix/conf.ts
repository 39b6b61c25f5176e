/** What a nix.conf says: only read, never written. */
import { dirname, resolve } from 'node:path';

/** Gives the text of an included file, or undefined if it cannot be read. */
export type ReadText = (path: string) => string | undefined;

/** One setting where it stands. */
export interface NixSetting {
  readonly name: string;
  readonly value: string;
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** The definition of a setting that counts: the last one; includes are followed where they stand. */
export const settingOf = (name: string, path: string, read: ReadText): NixSetting | undefined =>
  settingsOf(path, read, []).findLast(
    (setting) => setting.name === name || aliases[setting.name] === name,
  );

/** Older names that Nix still takes for settings that we look at. */
const aliases: Readonly<Record<string, string>> = { 'build-max-jobs': 'max-jobs' };

/** True when that value of `builders` keeps Nix from reading the machines file. */
export function hides(builders: string | undefined, machinesFile: string): boolean {
  if (builders === undefined) return false;
  return !builders.split(/[\n;]/).some((entry) => entry.trim() === `@${machinesFile}`);
}

/** The systems that `external-builders` takes; undefined when its value is not what Nix reads. */
export function externalSystems(value: string): readonly string[] | undefined {
  try {
    const entries = JSON.parse(value === '' ? '[]' : value) as unknown;
    if (!Array.isArray(entries)) return undefined;
    return entries.flatMap((entry: unknown) => {
      const { systems } = (entry ?? {}) as { systems?: unknown };
      return Array.isArray(systems)
        ? systems.filter((each): each is string => typeof each === 'string')
        : [];
    });
  } catch {
    return undefined;
  }
}

function settingsOf(path: string, read: ReadText, within: readonly string[]): NixSetting[] {
  // Nix itself would go round for ever.
  if (within.includes(path)) return [];
  const lines = (read(path) ?? '').split('\n').map((line) => line.replace(/#.*/s, ''));
  return lines.flatMap((line, index): NixSetting[] => {
    // Nix knows no other blanks.
    const [first = '', ...rest] = line.split(/[ \t\r]+/).filter((word) => word !== '');
    if (first === 'include' || first === '!include')
      return settingsOf(resolve(dirname(path), rest.join(' ')), read, [...within, path]);
    if (rest[0] !== '=') return [];
    return [{ name: first, value: rest.slice(1).join(' '), file: path, line: index + 1 }];
  });
}
