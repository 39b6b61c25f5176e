import { expect, test } from 'vitest';
import { nameOf } from '../../src/system/host/name-of.ts';
import { needs } from '../needs.ts';

const { signal } = new AbortController();

test('users and groups have names, unless nobody knows them', needs('Linux'), async () => {
  expect(await nameOf('passwd', 0, signal)).toBe('root');
  expect(await nameOf('group', 0, signal)).toBe('root');
  expect(await nameOf('passwd', 2_147_000_000, signal)).toBeUndefined();
});
