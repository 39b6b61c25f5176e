/** Tables of what the program says: a state in words, and the code of the product that speaks in it. One page of them for each folder of src. */
import { mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { describeToOwner, type Problem } from '../../src/domain/problem.ts';
import { Advice, plainly } from '../../src/system/advice.ts';
import { Failed, type Failure } from '../../src/system/failure.ts';
import { removeTree } from '../remove-tree.ts';

/**
 * For each state the code that speaks in it. What it returns, or resolves to, or throws as {@link Failed}, is told: a failure, a
 * problem, a sentence, or a list of these.
 */
export type States = Readonly<Record<string, () => unknown>>;

/** Compares what a room says with `test/messages/ROOM.md`. Nothing but a person who asks for it writes that file: see CONTRIBUTING.md. */
export function tells(room: string, subjects: Readonly<Record<string, States>>): void {
  // The next page's values may be words of this one.
  afterAll(() => standIns.clear());
  test(`src/${room} says what ${room}.md has`, async () => {
    const parts = [`# What src/${room} says\n`];
    for (const [subject, states] of Object.entries(subjects)) {
      parts.push(`# ${subject}\n`);
      for (const [state, speak] of Object.entries(states))
        parts.push(`## ${state}\n\n${await told(state, speak)}\n`);
    }
    await expect(stable(parts.join('\n'))).toMatchFileSnapshot(`./${room}.md`);
  });
}

async function told(state: string, speak: () => unknown): Promise<string> {
  let said: unknown;
  try {
    said = await speak();
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    said = error;
  }
  const lines = linesOf(said);
  if (lines === undefined || lines.join('').trim() === '')
    throw new Error(`Nothing that can be told in the state "${state}": ${JSON.stringify(said)}`);
  return lines.map((line) => (line === '' ? '' : `    ${line}`)).join('\n');
}

/** The lines of what was said; undefined where it is nothing that a person reads. */
function linesOf(said: unknown): string[] | undefined {
  if (said instanceof Advice) return plainly(said).split('\n');
  if (typeof said === 'string') return said.split('\n');
  if (Array.isArray(said)) {
    const all = said.map(linesOf);
    return all.includes(undefined) ? undefined : all.flatMap((lines) => lines ?? []);
  }
  if (said instanceof Failed) return linesOf(said.failure);
  if (isProblem(said)) return [plainly(describeToOwner(said))];
  if (!isFailure(said)) return undefined;
  return [said.message, said.quotes ?? '', said.hint, said.known ?? '']
    .map(plainly)
    .filter((line) => line !== '');
}

const isProblem = (said: unknown): said is Problem =>
  typeof said === 'object' && said !== null && 'path' in said && 'hint' in said;
const isFailure = (said: unknown): said is Failure =>
  typeof said === 'object' && said !== null && 'kind' in said && 'message' in said;

/** What differs between machines, and what stands for it in the pages. */
const standIns = new Map<string, string>();

/** Has `shown` stand for a value of this run, such as a port, wherever a text has it. Choose values that nothing else has in it. */
export function shownAs<T extends string | number>(value: T, shown: string): T {
  standIns.set(String(value), shown);
  return value;
}

/** Where JSON is wrong, as Node says it from 22 on. */
const jsonPlace = / \(line \d+ column \d+\)/g;

/** A text without what differs between machines, runs and Nodes. */
export function stable(text: string): string {
  const longestFirst = [...standIns].sort(([a], [b]) => b.length - a.length);
  return longestFirst
    .reduce((all, [value, shown]) => all.replaceAll(value, shown), text)
    .replaceAll(jsonPlace, '');
}

/** An empty directory that the pages call by this name, such as `/builder`; gone when the tests of the file are. */
export function directoryShownAs(shown: string): string {
  const made = realpathSync(mkdtempSync(join(tmpdir(), 'messages-')));
  afterAll(() => removeTree(made));
  return shownAs(made, shown);
}
