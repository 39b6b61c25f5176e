import fc from './fast-check.ts';

/** Values that are more than a program expects: nested as deeply as V8 parses and no further function of it bears, long, of other types. */
const hostile: fc.Arbitrary<string> = fc.oneof(
  fc.integer({ min: 1, max: 60_000 }).map((depth) => '['.repeat(depth) + ']'.repeat(depth)),
  fc
    .integer({ min: 1, max: 30_000 })
    .map((depth) => `${'{"desc":'.repeat(depth)}1${'}'.repeat(depth)}`),
  fc.integer({ min: 1, max: 100_000 }).map((length) => JSON.stringify('\u001b'.repeat(length))),
  fc.json(),
  fc.constantFrom(
    'null',
    'true',
    '-1e999',
    '"\\u009b2J"',
    '{"__proto__":{"desc":1}}',
    '{"toString":1}',
  ),
);
/** Answers that have the form of one of these protocols, with such values where theirs stand. */
export const hostileAnswers = (forms: readonly string[]): fc.Arbitrary<Buffer> =>
  fc
    .array(fc.tuple(fc.constantFrom(...forms), hostile), { minLength: 1, maxLength: 4 })
    .map((said) =>
      Buffer.from(said.map(([form, value]) => form.replace('?', () => value)).join('')),
    );
