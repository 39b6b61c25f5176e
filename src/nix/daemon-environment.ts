/** What nix-daemon finds in its environment, as far as the files of launchd and systemd tell. */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { OthersFiles } from '../system/files/others-files.ts';
import { readPlist, stringIn } from '../system/plist.ts';
import type { ReadText } from './conf.ts';

/** A variable where it is set. */
export interface Variable {
  readonly file: string;
  readonly value: string;
}

/** What its program gets of it: systemd writes line breaks as `\\n`. */
export const unescaped = ({ value }: Variable): string => value.replaceAll('\\n', '\n');

/** The definition that counts, or undefined where none is set; `tree` stands for /. */
export function daemonVariable(
  name: string,
  tree: string,
  others: OthersFiles,
): Variable | undefined {
  const { read } = others;
  const at = (path: string) => join(tree === '' ? '/' : tree, path);
  const inPlist = plists.map(at).flatMap((file) => plistVariable(name, file, others));
  const inUnits = unitFiles(at, read).reduce<Variable | undefined>(
    (before, file) => unitVariable(name, file, { at, read, before }),
    undefined,
  );
  return inPlist[0] ?? inUnits;
}

const plists = [
  '/Library/LaunchDaemons/org.nixos.nix-daemon.plist',
  '/Library/LaunchDaemons/systems.determinate.nix-daemon.plist',
];

function plistVariable(name: string, file: string, others: OthersFiles): Variable[] {
  const value = stringIn(readPlist(file, others), 'EnvironmentVariables', name);
  return value === undefined ? [] : [{ file, value }];
}

const unit = 'nix-daemon.service';
/** Earlier ones go before later ones (systemd.unit(5)). */
const unitFolders = [
  '/etc/systemd/system',
  '/run/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
];

/** The unit, then its drop-ins by name, whichever folder they are in; of one name the first folder's. */
function unitFiles(at: (path: string) => string, read: ReadText): string[] {
  const folders = unitFolders.map(at);
  const main = folders.map((folder) => join(folder, unit)).find((path) => read(path) !== undefined);
  const dropIns = new Map<string, string>();
  for (const path of folders.flatMap((folder) => confFiles(join(folder, `${unit}.d`))))
    if (!dropIns.has(basename(path))) dropIns.set(basename(path), path);
  const sorted = [...dropIns].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
  return [...(main === undefined ? [] : [main]), ...sorted];
}

function confFiles(folder: string): string[] {
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith('.conf'));
    return names.map((name) => join(folder, name));
  } catch {
    // None, or not for us to read.
    return [];
  }
}

interface UnitWorld {
  readonly at: (path: string) => string;
  readonly read: ReadText;
  /** What files before this one say. */
  readonly before: Variable | undefined;
}

function unitVariable(name: string, file: string, world: UnitWorld): Variable | undefined {
  let found = world.before;
  for (const line of (world.read(file) ?? '').split('\n')) {
    const [, setting, value = ''] = /^\s*(Environment|EnvironmentFile)\s*=(.*)$/.exec(line) ?? [];
    if (setting === undefined) continue;
    // An empty one takes back what was said before.
    if (value.trim() === '') found = undefined;
    const path = world.at(value.trim().replace(/^-/, ''));
    const [from, text] = setting === 'Environment' ? [file, value] : [path, world.read(path) ?? ''];
    found = assigned(name, from, text) ?? found;
  }
  return found;
}

/** `A=b "C=d e"` of a unit, or a line each of its EnvironmentFile. */
function assigned(name: string, file: string, text: string): Variable | undefined {
  const lines = text.split('\n').filter((line) => !/^\s*[#;]/.test(line));
  const quoted = (before: string) => `"${before}([^"]*)"|'${before}([^']*)'`;
  const either = `(?:^|\\s)(?:${quoted(`${name}=`)}|${name}=(?:${quoted('')}|(\\S*)))`;
  const last = lines.flatMap((line) => [...line.matchAll(new RegExp(either, 'g'))]).at(-1);
  const value = last?.slice(1).find((each: string | undefined) => each !== undefined);
  return value === undefined ? undefined : { file, value };
}
