/** docs/status.schema.json as a check: what `status --json` printed, held against what we promise of it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';

const path = join(import.meta.dirname, '../../docs/status.schema.json');
// Conditions name properties that are described elsewhere in the schema.
const ajv = new Ajv2020({
  allErrors: true,
  strict: true,
  strictRequired: false,
  strictTypes: false,
});
const validate = ajv.compile(JSON.parse(readFileSync(path, 'utf8')) as object);

/** Everything in which it is not what the schema says; nothing when it is. */
export function schemaProblems(report: unknown): string[] {
  // As it is printed: without what is undefined.
  const printed: unknown = JSON.parse(JSON.stringify(report));
  return validate(printed)
    ? []
    : (validate.errors ?? []).map(
        ({ instancePath, message, params }) =>
          `${instancePath} ${message ?? ''} ${JSON.stringify(params)}`,
      );
}
