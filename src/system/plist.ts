/** Property lists of others, in XML: launchd's jobs, and what macOS says of itself. */
import { parse } from 'fast-plist';
import type { OthersFiles } from './files/others-files.ts';

/** The dictionary that a property list is. */
type Plist = Readonly<Record<string, unknown>>;

/** That of a file; undefined where there is none, or where it cannot be read, which `others` then tells. */
export function readPlist(path: string, others: OthersFiles): Plist | undefined {
  const text = others.read(path);
  if (text === undefined) return undefined;
  const plist = plistOf(text);
  if (plist === undefined) others.unread.set(path, isBinary(text) ? binary : noPlist);
  return plist;
}

/** That of a text; undefined of whatever else the text is. */
export function plistOf(text: string): Plist | undefined {
  // The parser leaves these as they are, and what they hold would be taken for its markup.
  if (text.includes('<![CDATA[')) return undefined;
  try {
    const value: unknown = parse(text);
    return isDictionary(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The string to which these keys lead, one dictionary in another. */
export function stringIn(plist: Plist | undefined, ...keys: readonly string[]): string | undefined {
  // `__proto__` is a key of a hostile file: only what a dictionary itself has counts.
  const value = keys.reduce<unknown>(
    (at, key) => (isDictionary(at) && Object.hasOwn(at, key) ? at[key] : undefined),
    plist,
  );
  return typeof value === 'string' ? value : undefined;
}

const isDictionary = (value: unknown): value is Plist =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `defaults write` makes such a file of any. */
const isBinary = (text: string): boolean => text.startsWith('bplist');

const binary = 'it is a binary property list, which plutil -convert xml1 makes readable';
const noPlist = 'it is not a property list';
