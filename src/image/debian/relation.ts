/** What a package says about others: `libc6 (>= 2.38), nix-bin | nix, perl:any`. */
import { compareVersions } from '../../vm/debian-version.ts';

/** One name that would do, perhaps only in some versions. */
export interface Alternative {
  readonly name: string;
  readonly version?: { readonly operator: Operator; readonly than: string };
}

/** Any one of these has to be there. */
export type Relation = readonly Alternative[];

const operators = ['<<', '<=', '=', '>=', '>>'] as const;
type Operator = (typeof operators)[number];

/** The relations of a field's value. Architectures in brackets do not occur in an index of one architecture. */
export function parseRelations(field: string): Relation[] {
  return field
    .split(',')
    .map((relation) =>
      relation
        .split('|')
        .map(parseAlternative)
        .filter((each) => each !== undefined),
    )
    .filter((relation) => relation.length > 0);
}

function parseAlternative(text: string): Alternative | undefined {
  const match =
    /^\s*([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9]+)?\s*(?:\(\s*([<>=]+)\s*([^\s)]+)\s*\))?/i.exec(text);
  const [, name, sign, than] = match ?? [];
  if (name === undefined) return undefined;
  // The old signs < and > mean "or equal" (deb-control(5)).
  const operator = sign === '<' ? '<=' : sign === '>' ? '>=' : operators.find((o) => o === sign);
  return operator === undefined || than === undefined
    ? { name }
    : { name, version: { operator, than } };
}

/** Whether a version is one that the alternative would take. */
export function takesVersion({ version }: Alternative, candidate: string): boolean {
  if (version === undefined) return true;
  const order = compareVersions(candidate, version.than);
  return {
    '<<': order < 0,
    '<=': order <= 0,
    '=': order === 0,
    '>=': order >= 0,
    '>>': order > 0,
  }[version.operator];
}

/** As it stands in a control file. */
export const describeRelation = (relation: Relation): string =>
  relation
    .map(({ name, version }) =>
      version === undefined ? name : `${name} (${version.operator} ${version.than})`,
    )
    .join(' | ');
