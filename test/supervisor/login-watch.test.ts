import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Counts } from '../../src/door/through.ts';
import { LoginWatch } from '../../src/supervisor/health/login-watch.ts';
import { FakeClock } from '../fakes/fake-clock.ts';

let clock: FakeClock;
let watch: LoginWatch;
let open = 0;
let told: (number | undefined)[] = [];
/** What the guest was asked with, and the way to answer it. */
let asked: {
  readonly known: number | undefined;
  readonly signal: AbortSignal;
  readonly answer: (count: number | undefined) => Promise<void>;
}[];

beforeEach(() => {
  [open, told, asked] = [0, [], []];
  clock = new FakeClock();
  const counts = (): Counts => {
    const loggedIn = Math.min(told.at(-1) ?? open, open);
    return { held: 0, opening: 0, open, loggedIn, entering: 0 };
  };
  watch = new LoginWatch({ clock, counts, tell: (count) => told.push(count) });
});
afterEach(async () => {
  watch.end();
  await settled();
  expect(clock.pending).toBe(0);
});

const settled = () => new Promise((resolve) => setImmediate(resolve));
const begin = () =>
  watch.begin((known, signal) => {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('aborted')));
      const answer = async (count: number | undefined) => {
        resolve(count);
        await settled();
      };
      asked.push({ known, signal, answer });
    });
  });
/** So many are through now. */
async function come(count: number) {
  open = count;
  watch.note();
  await settled();
}

test('the guest is asked at once, and then while not all that are through have logged in', async () => {
  begin();
  await asked[0]?.answer(0);
  expect(told).toEqual([undefined, 0]);
  await clock.advance(3600_000);
  expect(asked).toHaveLength(1);
  await come(1);
  expect(asked.map(({ known }) => known)).toEqual([undefined, 0]);
  // Nothing new for a while: the question is put again.
  await asked[1]?.answer(0);
  await clock.advance(100);
  await asked[2]?.answer(1);
  await clock.advance(3600_000);
  expect(asked).toHaveLength(3);
  await come(2);
  await come(3);
  expect(asked.map(({ known }) => known)).toEqual([undefined, 0, 0, 1]);
  expect(told).toEqual([undefined, 0, 0, 1]);
});

// Behaviour 73: The guest says which connections have logged in. The others neither delay a stop, nor keep the host
// awake, nor keep their place at the door for long; but if the guest cannot tell, all connections that have reached
// it count as logged in.
test('a guest that is silent is asked again, more and more seldom, and then only while somebody is there', async () => {
  begin();
  for (const ms of [1_000, 2_000, 4_000, 8_000, 16_000, 16_000]) {
    await asked.at(-1)?.answer(undefined);
    await clock.advance(ms);
  }
  expect(told).toEqual(Array.from({ length: 7 }, () => undefined));
  expect(asked).toHaveLength(6);
  await come(1);
  expect(asked.map(({ known }) => known)).toEqual(Array.from({ length: 7 }, () => undefined));
  await asked[6]?.answer(1);
  expect(told.at(-1)).toBe(1);
});

test('a guest that goes away is not asked any more; what it said stands, until there is another', async () => {
  begin();
  await asked[0]?.answer(0);
  await clock.advance(100);
  await come(1);
  watch.end();
  await settled();
  expect(asked[1]?.signal.aborted).toBe(true);
  expect(told).toEqual([undefined, 0]);
  begin();
  expect(told).toEqual([undefined, 0, undefined]);
  await asked[2]?.answer(1);
  expect(told.at(-1)).toBe(1);
});
