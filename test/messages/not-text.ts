/** Literals of src that are no text for people, each with its reason: a file, or one name that is declared in it. */
export const notText: readonly (readonly [where: string, why: string])[] = [
  ['guest/agent/freezer.ts#freeze', 'a script of the guest'],
  [
    'cli/status/report-schema.ts',
    'what docs/status.schema.json says of the fields, in which it is read',
  ],
  [
    'supervisor/status/builder-schema.ts',
    'what docs/status.schema.json says of the fields, in which it is read',
  ],
  [
    'supervisor/status/schema-parts.ts',
    'what docs/status.schema.json says of the fields, in which it is read',
  ],
  [
    'supervisor/status/status-schema.ts',
    'what docs/status.schema.json says of the fields, in which it is read',
  ],
];
