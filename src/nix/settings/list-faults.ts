/** What makes Nix refuse its whole list of builders, ours with it, in whichever of the files that it takes in. */
import { statSync } from 'node:fs';
import type { OthersFiles } from '../../system/files/others-files.ts';
import { compareVersions } from '../../vm/debian-version.ts';
import type { NixSetting } from '../conf.ts';
import { parseMachines, type Rules } from '../machines.ts';
import type { NixVariant } from '../variant.ts';

/** One of them, where it stands. */
interface ListFault {
  readonly file: string;
  /** From 1; undefined where all of the file is the fault. */
  readonly line: number | undefined;
  readonly message: string;
  /** Undefined where every Nix refuses the list for it. */
  readonly fineSince: string | undefined;
}

/** In the place of a file, where only the value of that setting is known. */
export const theSetting = 'The setting builders';

interface BuildersSetting extends Pick<NixSetting, 'file' | 'value'> {
  readonly line: number | undefined;
}

interface ListOptions {
  /** The list's own file. */
  readonly machines: string;
  /** The setting that names that file, or others, or builders. */
  readonly builders: BuildersSetting | undefined;
  readonly others: OthersFiles;
}

/** All of them, those of which every Nix takes notice first. */
export function listFaults(options: ListOptions): ListFault[] {
  const now = faultsBy('new', options);
  const known = new Set(now.map(placeOf));
  const before = faultsBy('old', options).filter((fault) => !known.has(placeOf(fault)));
  return [...now, ...before.map((fault) => ({ ...fault, fineSince: fault.fineSince ?? '2.29' }))];
}

const placeOf = ({ file, line }: ListFault): string => `${file}:${line ?? ''}`;

/** In a sentence or two; undefined for a Nix that does not mind. */
export function describeListFault(
  { file, line, message, fineSince }: ListFault,
  nix: NixVariant | undefined,
): string | undefined {
  const where = line === undefined ? file : `${file}, line ${line}`;
  // Lix counts in its own way.
  const version = nix?.flavour === 'lix' ? undefined : nix?.version;
  if (fineSince !== undefined && version !== undefined && compareVersions(version, fineSince) >= 0)
    return undefined;
  const all = fineSince === undefined || version !== undefined;
  return `${where}: ${message}. Until this is fixed, ${all ? 'Nix ignores' : 'older versions of Nix ignore'} all of its builders.`;
}

function faultsBy(rules: Rules, { machines, builders, others }: ListOptions): ListFault[] {
  /** Files that were looked at: one that is named twice is told once. */
  const seen = new Set<string>();
  const walk = (file: string, text: string, within: readonly string[]): ListFault[] => {
    seen.add(file);
    const { bad, files } = parseMachines(text, rules);
    return [
      ...bad.map((each) => ({ fineSince: undefined, ...each, file })),
      ...files.flatMap(({ line, path }): ListFault[] => {
        const at = { file, line, fineSince: undefined };
        if (within.includes(path)) return [{ ...at, message: `@${path} includes itself` }];
        if (isFolder(path)) return [{ ...at, message: `@${path} is a directory` }];
        return seen.has(path) ? [] : walk(path, others.read(path) ?? '', [...within, path]);
      }),
    ];
  };
  const said = builders === undefined ? [] : walk(builders.file, builders.value, []);
  return [
    ...said.map((fault) =>
      fault.file === builders?.file ? { ...fault, line: builders.line } : fault,
    ),
    ...(seen.has(machines) ? [] : walk(machines, others.read(machines) ?? '', [machines])),
  ];
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    // Not there, which is fine, or not for us to see.
    return false;
  }
}
