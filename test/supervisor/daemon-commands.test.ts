/** Several commands at once, over control.sock: none opens a door that another one holds. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutOf, type Layout } from '../../src/config/layout.ts';
import {
  ask,
  holdDoor,
  holdQuestion,
  type DoorHeld,
} from '../../src/supervisor/daemon/ask-daemon.ts';
import { openControl } from '../../src/supervisor/daemon/control.ts';
import { commandsOf } from '../../src/supervisor/daemon/daemon-commands.ts';
import { DoorHold } from '../../src/supervisor/daemon/door-hold.ts';
import type { Supervisor } from '../../src/supervisor/supervisor.ts';
import { Exit, Failed } from '../../src/system/failure.ts';
import { silent } from '../../src/system/log.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { nobody } from '../fakes/commands.ts';
import { removeTree } from '../remove-tree.ts';

let layout: Layout;
let control: { close(): void };
/** Each time that the door is held, or let go. */
let held: boolean[];
/** Whether the guest does what it is asked for, and when a collection ends. */
let isWilling: boolean;
let collectionEnds: Promise<unknown>;
/** Aborts when whoever only asks is gone. */
let question: AbortSignal;

beforeEach(async () => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'commands-')));
  mkdirSync(layout.state);
  held = [];
  isWilling = true;
  collectionEnds = Promise.resolve();
  const busy = { kind: 'guest-in-use', message: 'No.', hint: 'h', exit: Exit.temporary };
  const collect = async () => {
    await collectionEnds;
    if (!isWilling) throw new Failed(busy);
    return { isDone: true, diskBytes: 2, diskFreeBytes: 1 };
  };
  const supervisor = {
    doorControl: { counts: () => nobody },
    onDemand: { housekeeping: { collect }, question: (gone: AbortSignal) => (question = gone) },
    verdicts: { forget: () => undefined },
    settle: () => undefined,
    suspend: () => Promise.resolve({ goes: isWilling }),
  };
  // Whoever hangs up after a test has nothing to say in the next.
  const told = held;
  const hold = new DoorHold((isHeld) => told.push(isHeld));
  const read = () => ({ config: undefined, problems: [] });
  // One cast: it has all that these commands use.
  const todo = commandsOf(supervisor as unknown as Supervisor, hold, read);
  control = await openControl(layout, todo, silent);
});
afterEach(() => {
  control.close();
  removeTree(layout.root);
});

const isAnswered = (command: 'undrain' | 'suspend' | 'restart' | 'gc', by?: DoorHeld) =>
  ask(layout, command, systemClock, undefined, { by }).then(
    () => true,
    () => false,
  );
const turns = async (count: number) => {
  while (held.length < count) await new Promise((done) => setImmediate(done));
};
const ends = [
  ['suspend', true],
  ['suspend', false],
  ['gc', true],
  ['gc', false],
  ['restart', true],
  ['undrain', true],
] as const;

test.each(ends)('%s (done: %s) opens no door that another command holds', async (command, is) => {
  isWilling = is;
  const stop = await holdDoor(layout, systemClock);
  // Its own, as of whoever waited first.
  const own = await holdDoor(layout, systemClock);
  expect(await isAnswered(command)).toBe(is || command !== 'gc');
  expect(held).toEqual([true, true]);
  own[Symbol.dispose]();
  const another = await holdDoor(layout, systemClock);
  await isAnswered(command, another);
  expect(held).toEqual([true, true, true]);
  stop[Symbol.dispose]();
  await turns(4);
  expect(held.at(-1)).toBe(false);
});

test.each(ends)('%s (done: %s) lets go of the hold by which it is asked', async (command, is) => {
  isWilling = is;
  const own = await holdDoor(layout, systemClock);
  await isAnswered(command, own);
  expect(held).toEqual([true, false]);
  // What has hung up is no way to ask.
  expect(await isAnswered('restart', own)).toBe(true);
});

test.each(ends)('%s (done: %s) opens it for a client who did not stay', async (command, is) => {
  isWilling = is;
  await ask(layout, 'drain', systemClock);
  await isAnswered(command);
  expect(held).toEqual([true, false]);
  // Nor does his hold make a later one last.
  (await holdDoor(layout, systemClock))[Symbol.dispose]();
  await turns(4);
  expect(held).toEqual([true, false, true, false]);
});

// Behaviour 131: While a garbage collection is running, the daemon, not the command `gc`, keeps new connections
// waiting. Killing `gc` therefore does not lock any client out.
test('a gc lets go as soon as the collection holds the door by itself', async () => {
  let end: () => void = () => undefined;
  collectionEnds = new Promise<void>((resolve) => (end = resolve));
  const answered = isAnswered('gc', await holdDoor(layout, systemClock));
  await turns(2);
  expect(held).toEqual([true, false]);
  end();
  expect(await answered).toBe(true);
});

test('who only asks does so for as long as he is there', async () => {
  const asking = await holdQuestion(layout, systemClock);
  expect(question.aborted).toBe(false);
  const over = once(question, 'abort');
  asking[Symbol.dispose]();
  await over;
});
