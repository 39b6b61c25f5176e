/** docs/status.schema.json, from the schema of the report: JSON Schema (2020-12) for programs that read `status --json`. */
import { toJsonSchema, type JsonSchema } from '@valibot/to-json-schema';
import { reportSchema } from '../src/cli/status/report-schema.ts';
import { failure, pid, port, time } from '../src/supervisor/status/schema-parts.ts';

/** The text of the file, to be formatted. */
export function statusSchemaFile(): string {
  const {
    properties,
    required,
    $defs = {},
  } = toJsonSchema(reportSchema, {
    target: 'draft-2020-12',
    definitions: { time, pid, port, failure },
  });
  const plain = { type: 'object', required, properties } as const;
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'status.schema.json',
    title: 'linuxkit-builder status --json',
    description:
      "What `status --json` prints. While `version` is 1, properties may be added, but none is removed or changes its meaning. The daemon's own record (nix-state/status.json) is the same without `running`, `connections`, `past`, `guest`, `memory`, `disk`, `incident`, `unheardSince`, `untold` and `imageAge`.",
    ...(closed(plain, $defs as Defs) as object),
    allOf: conditions,
    $defs: Object.fromEntries(
      Object.entries($defs).map(([name, each]) => [name, closed(each as JsonSchema, {})]),
    ),
  };
  return JSON.stringify(schema);
}

type Defs = Readonly<Record<string, JsonSchema>>;

/** Nothing is in an object that is not described; and what has a definition refers to it, also where it has a description of its own. */
function closed(value: unknown, defs: Defs): unknown {
  if (Array.isArray(value)) return value.map((each) => closed(each, defs));
  if (typeof value !== 'object' || value === null) return value;
  const { description, ...rest } = value as { description?: unknown };
  const name = Object.keys(defs).find((each) => isSame(defs[each], rest));
  if (name !== undefined) return { $ref: `#/$defs/${name}`, ...(description && { description }) };
  const inside = Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, closed(each, defs)]),
  );
  return inside['type'] === 'object' ? { ...inside, additionalProperties: false } : inside;
}

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

const inPhase = (...phases: readonly string[]) => ({
  required: ['phase'],
  properties: { phase: { enum: phases } },
});

/** What goes with what: no type says that. */
const conditions = [
  {
    if: { properties: { running: { const: true } } },
    then: { required: ['version', 'phase', 'since', 'sentence', 'daemon'] },
  },
  { if: inPhase('backing-off'), then: { required: ['because', 'until', 'attempt'] } },
  {
    if: inPhase('away'),
    then: { required: ['away'] },
    else: { not: { required: ['away'] } },
  },
  { if: inPhase('failed'), then: { required: ['because'] } },
  {
    if: inPhase('starting', 'booting', 'ready', 'paused', 'suspending', 'resuming'),
    then: { required: ['attempt'] },
  },
  {
    if: {
      required: ['phase', 'running'],
      properties: { phase: { enum: ['ready', 'paused'] }, running: { const: true } },
    },
    then: { required: ['door', 'builder', 'vmPid', 'timeline'] },
  },
  {
    if: { required: ['door'] },
    then: {
      properties: { door: { oneOf: [{ required: ['port'] }, { required: ['socket'] }] } },
    },
  },
];
