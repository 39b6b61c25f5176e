import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { inPrivateWorld } from '../private-world.ts';
import { needs } from '../../needs.ts';

// Behaviour 88: With QEMU, a full host disk pauses the guest. The guest is never restarted because of that, and
// continues by itself once 512 MiB is free.
describe("the host's disk is full while the guest writes", needs('root', 'Linux'), () => {
  let facts: ReadonlyMap<string, string> = new Map();
  let all = '';

  beforeAll(async () => {
    ({ facts, all } = await inPrivateWorld(join(import.meta.dirname, 'world.sh')));
  });

  test('the guest is paused, and that is said', () =>
    expect(facts.get('sentence'), all).toContain("Paused: the host's disk is full"));
  test('doctor names the disk space, then what it keeps from working, and what was never configured', () =>
    expect(facts.get('doctor'), all).toBe("disk space,guest,root's files"));
  test('it is not taken for frozen', () => expect(facts.get('phase-later')).toBe('paused'));
  test('it goes on by itself when there is room, and no write is lost', () =>
    expect(facts.get('written'), all).toBe(String(400 * 1024 * 1024)));
  test('it is the same VM, never started again', () => {
    expect(facts.get('vm-after'), all).toBe(facts.get('vm-before'));
    expect(facts.get('phases-since'), all).toBe('paused ready');
  });
});
