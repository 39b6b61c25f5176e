/**
 * Requested names + the indexes of some releases -> every package that has to be there. Pure; recommendations are not followed.
 * For each relation the preferred release is asked first, and another one only where that cannot meet it.
 */
import { describeFloor, type Floor } from '../../vm/floors.ts';
import { Candidates, matches, type Request } from './candidates.ts';
import type { IndexedPackage, Located } from './package-index.ts';
import { describeRelation, takesVersion, type Relation } from './relation.ts';

type Resolved =
  | { readonly ok: true; readonly packages: readonly Located[] }
  /** What nothing meets, each with the package that has the relation; and packages that cannot be there together. */
  | {
      readonly ok: false;
      readonly missing: readonly string[];
      readonly conflicts: readonly string[];
    };

/** The closed set, sorted by name. */
export function resolve(request: Request): Resolved {
  const candidates = new Candidates(request);
  // Each turn but the last gives up one version of one package, so there is a last one.
  for (;;) {
    const attempt = close(request, candidates);
    if (attempt.type === 'blame') candidates.exclude(attempt.blamed);
    else if (attempt.type === 'failed') {
      const { missing, conflicts } = attempt;
      return { ok: false, missing, conflicts };
    } else {
      const packages = attempt.chosen.map(locatedOf);
      return { ok: true, packages: packages.sort((a, b) => (a.name < b.name ? -1 : 1)) };
    }
  }
}

type Attempt =
  | { readonly type: 'closed'; readonly chosen: readonly IndexedPackage[] }
  /** With another version of this one it may work. */
  | { readonly type: 'blame'; readonly blamed: IndexedPackage }
  | {
      readonly type: 'failed';
      readonly missing: readonly string[];
      readonly conflicts: readonly string[];
    };

interface Wanted {
  readonly relation: Relation;
  /** Undefined: the recipe. */
  readonly by?: IndexedPackage;
}

/** Takes what is wanted, and what that wants, until nothing is. */
function close(request: Request, candidates: Candidates): Attempt {
  const absent = new Set(request.without);
  const chosen = new Map<string, IndexedPackage>();
  const missing: string[] = [];
  const queue: Wanted[] = request.requested.map((name) => ({ relation: [{ name }] }));
  // It grows meanwhile.
  for (const { relation, by } of queue) {
    if (relation.some(({ name }) => absent.has(name)) || isMet(relation, chosen)) continue;
    const found = candidates.pick(relation);
    if (found === undefined && by !== undefined && candidates.hasOther(by)) return blame(by);
    if (found === undefined)
      missing.push(`${describeWanted(relation, request.floors)} (for ${by?.name ?? 'the recipe'})`);
    if (found === undefined || absent.has(found.name)) continue;
    const other = chosen.get(found.name);
    if (other !== undefined) return blame(other);
    chosen.set(found.name, found);
    for (const needed of found.depends) queue.push({ relation: needed, by: found });
  }
  return missing.length > 0 ? failed(missing, []) : together([...chosen.values()], candidates);
}

const failed = (missing: readonly string[], conflicts: readonly string[]): Attempt => ({
  type: 'failed',
  missing,
  conflicts,
});

/** Whether all can be there at once. */
function together(chosen: readonly IndexedPackage[], candidates: Candidates): Attempt {
  const pairs = chosen.flatMap((one) => {
    const { conflicts } = one;
    return chosen
      .filter((other) => other !== one && conflicts.some((each) => matches(other, each)))
      .map((other) => [one, other] as const);
  });
  for (const pair of pairs)
    for (const each of [...pair].reverse()) if (candidates.hasOther(each)) return blame(each);
  const conflicts = pairs.map(([one, other]) => `${nameOf(one)} with ${nameOf(other)}`);
  return conflicts.length > 0 ? failed([], conflicts) : { type: 'closed', chosen };
}

/** Whether a package that was chosen already meets the relation, itself or by what it provides. */
const isMet = (relation: Relation, chosen: ReadonlyMap<string, IndexedPackage>): boolean =>
  relation.some((alternative) => {
    const same = chosen.get(alternative.name);
    if (same !== undefined && takesVersion(alternative, same.version)) return true;
    return [...chosen.values()].some((each) => matches(each, alternative));
  });

const blame = (blamed: IndexedPackage): Attempt => ({ type: 'blame', blamed });

const nameOf = ({ name, version }: Located): string => `${name} ${version}`;

/** A name that has a floor is missing below it, and beyond its series. */
function describeWanted(relation: Relation, floors: readonly Floor[]): string {
  const floor = floors.find((each) => relation.some(({ name }) => name === each.package));
  const words = describeRelation(relation);
  return floor === undefined ? words : `${words}, ${describeFloor(floor)}`;
}

const locatedOf = ({ name, version, suite, filename, sha256, size }: IndexedPackage): Located => ({
  name,
  version,
  suite,
  filename,
  sha256,
  size,
});
