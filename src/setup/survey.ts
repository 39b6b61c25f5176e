/** Files as they should be beside files as they are: what is to be done about each of them, as data. Nothing is changed. */
import {
  examine,
  type Examined,
  type FileChange,
  type Standing,
  type WantedFile,
} from '../host/file-change.ts';

/** What a person has to do, since the file is not ours to change. */
export interface ByHand {
  readonly path: string;
  /** Why, after the path: `is made by Nix (/nix/store/...)`. */
  readonly why: string;
  readonly text: string;
}

/** A file that is as it should be. */
interface Right {
  readonly wanted: WantedFile;
  readonly standing: Standing;
}

export interface Survey {
  /** All of them, in the order in which they are written. */
  readonly files: readonly WantedFile[];
  readonly changes: readonly FileChange[];
  readonly right: readonly Right[];
  /** Left alone: what others wrote there says it already. */
  readonly declared: readonly WantedFile[];
  /** We may not read them. */
  readonly hidden: readonly WantedFile[];
  readonly byHand: readonly ByHand[];
}

export function survey(files: readonly WantedFile[]): Survey {
  const found = files.map((wanted) => ({ wanted, examined: examine(wanted) }));
  const those = (kind: Examined['kind']) =>
    found.flatMap(({ wanted, examined }) => (examined.kind === kind ? [wanted] : []));
  return {
    files,
    changes: found.flatMap(({ examined }) => (examined.kind === 'change' ? [examined.change] : [])),
    right: found.flatMap(({ wanted, examined }) =>
      examined.kind === 'right' ? [{ wanted, standing: examined.standing }] : [],
    ),
    declared: those('declared'),
    hidden: those('hidden'),
    byHand: found.flatMap(({ wanted, examined }) => byHandOf(wanted, examined)),
  };
}

function byHandOf({ path, byHand: text }: WantedFile, examined: Examined): ByHand[] {
  if (examined.kind === 'in-store')
    return [{ path, why: `is made by Nix (${examined.target})`, text }];
  return examined.kind === 'link' ? [{ path, why: `is a link to ${examined.target}`, text }] : [];
}
