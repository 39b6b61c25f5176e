import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { changed, sabotages, type Sabotage } from './sabotages.ts';

const source = resolve(import.meta.dirname, '../../src');

describe.each(Object.entries(sabotages) as [string, Sabotage][])('%s', (_, { changes }) => {
  test.each(changes)('can be put into $file', (change) => {
    const text = readFileSync(join(source, change.file), 'utf8');
    const sabotaged = changed(text, change);
    expect(sabotaged).toContain(change.to);
    expect(sabotaged).not.toBe(text);
  });
});

test('what does not stand there, or stands there twice, is refused', () => {
  const change = { file: 'x.ts', from: 'a', to: 'b' };
  expect(changed('-a-', change)).toBe('-b-');
  expect(() => changed('---', change)).toThrow('src/x.ts does not have exactly once: a');
  expect(() => changed('a-a', change)).toThrow('exactly once');
});
