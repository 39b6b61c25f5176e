import { beforeEach, expect, test } from 'vitest';
import { GuestSystems } from '../../src/supervisor/health/guest-systems.ts';
import { Exit, Failed } from '../../src/system/failure.ts';

let said: string | undefined;
let asked = 0;
let stages: string[];
const told: (readonly string[] | undefined)[] = [];
const failure = { kind: 'agent-silent', message: '', hint: '', exit: Exit.unavailable };
const guest = (...extraSystems: 'i686-linux'[]) => ({
  config: { extraSystems },
  agent: {
    exec: () => {
      asked++;
      if (said === undefined) return Promise.reject(new Failed(failure));
      return Promise.resolve({ code: 0, stdout: said, stderr: '' });
    },
  },
  watch: { has: (stage: string) => stages.includes(stage) },
  signal: new AbortController().signal,
});

beforeEach(() => {
  asked = told.length = 0;
  stages = ['agent'];
});

test('a guest of which nothing more is offered is asked nothing', async () => {
  await new GuestSystems((systems) => told.push(systems)).look(guest());
  expect([asked, told]).toEqual([0, []]);
});

test('what it does not run is told once, and is over when it is offered no more', async () => {
  const systems = new GuestSystems((lost) => told.push(lost));
  said = 'no\n';
  const offering = guest('i686-linux');
  for (let look = 0; look < 3; look++) await systems.look(offering);
  expect([asked, told]).toEqual([1, [['i686-linux']]]);
  await systems.look(guest());
  expect([asked, told.at(-1)]).toEqual([1, undefined]);
  said = 'x86_64\n';
  await systems.look(guest('i686-linux'));
  expect([asked, told.at(-1)]).toEqual([2, undefined]);
});

test('one that does not answer yet is asked again, and what it says without sense is nothing', async () => {
  const systems = new GuestSystems((lost) => told.push(lost));
  stages = [];
  await systems.look(guest('i686-linux'));
  expect(asked).toBe(0);
  stages = ['agent'];
  said = undefined;
  await systems.look(guest('i686-linux'));
  said = 'mktemp: not found\n';
  const offering = guest('i686-linux');
  await systems.look(offering);
  await systems.look(offering);
  expect([asked, told]).toEqual([2, []]);
});

test('one that was taken back and offered again between two looks is tried again', async () => {
  const systems = new GuestSystems((lost) => told.push(lost));
  said = 'x86_64\n';
  await systems.look(guest('i686-linux'));
  said = 'no\n';
  await systems.look(guest('i686-linux'));
  expect([asked, told]).toEqual([2, [['i686-linux']]]);
});
