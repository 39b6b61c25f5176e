import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { inPrivateWorld } from '../private-world.ts';
import { needs } from '../../needs.ts';

// Behaviour 12: If the state directory becomes read-only, the guest keeps running, and the daemon prints that the
// status file is out of date, and why. Once the directory is writable again, the status file is correct within 5 s.
describe('the state directory becomes read-only under the daemon', needs('root', 'Linux'), () => {
  let facts: ReadonlyMap<string, string> = new Map();
  let all = '';

  beforeAll(async () => {
    ({ facts, all } = await inPrivateWorld(join(import.meta.dirname, 'world.sh')));
  });

  test('a guest that is ready goes on', () => {
    expect(facts.get('guest'), all).toBe('works');
    expect(facts.get('vms-kept')).toBe('1');
  });
  test('what the status file cannot say is said, once', () =>
    expect(facts.get('told'), all).toBe('1'));
  test('a new start is refused with the reason, and nothing of the old one is left', () => {
    expect(facts.get('why')).toMatch(/Cannot write \S+: the file system is read-only/);
    expect(facts.get('vms-ended')).toBe('0');
  });
  test('when it can be written again, the status is true again and all works', () => {
    expect(facts.get('then')).toMatch(/failed|Failed/);
    expect(facts.get('end')).toBe('0');
    expect(facts.get('vms-last')).toBe('0');
  });
});
