import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { firstSocketFd, launch, type Child, type Launch } from '../../src/system/process/child.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { Failed } from '../../src/system/failure.ts';
import { tryNode } from '../../src/system/process/node-trial.ts';
import { fdOf, withSockets } from '../../src/system/socket/listening.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
let child: Child | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'listen-'));
  child = undefined;
});
afterEach(async () => {
  await child?.stop(0);
  removeTree(dir);
});

/** Answers whoever connects to one of its sockets with the number of the descriptor. */
const program = (paths: readonly string[]): Launch => ({
  program: process.execPath,
  argv: [
    '-e',
    `const { createServer } = require('node:net');
     for (const fd of process.argv.slice(1)) createServer((socket) => socket.end(fd)).listen({ fd: Number(fd) });`,
    ...paths.map((_, n) => String(firstSocketFd + n)),
  ],
  env: {},
  cwd: dir,
  sockets: paths,
});
const begin = async (paths: readonly string[]): Promise<Child> => {
  const files = { output: join(dir, 'out'), lock: join(dir, 'lock') };
  const begun = await launch(program(paths), files, systemClock);
  if ('kind' in begun) throw new Error(begun.reason);
  return (child = begun);
};
const answer = async (path: string): Promise<string> => {
  const socket = connect({ path });
  const [said] = (await once(socket, 'data')) as [Buffer];
  return said.toString();
};
const descriptors = () => readdirSync('/proc/self/fd').length;

test('a child serves the sockets that were made for it, each by its descriptor', async () => {
  const paths = [join(dir, 'a.sock'), join(dir, 'b.sock')];
  // What an earlier one left is in the way of nobody.
  writeFileSync(paths[0] ?? '', '');
  writeFileSync(join(dir, 'a.soc~'), '');
  await begin(paths);
  // It has hardly begun: the kernel queues whoever comes.
  expect(await Promise.all(paths.map(answer))).toEqual(['3', '4']);
  expect(readdirSync(dir).sort()).toEqual(['a.sock', 'b.sock', 'lock', 'out']);
});

test('its death is the end of them: we keep no copy', async () => {
  const path = join(dir, 'a.sock');
  const { ended } = await begin([path]);
  expect(await answer(path)).toBe('3');
  child?.signal('SIGKILL');
  await ended;
  expect(statSync(path).isSocket()).toBe(true);
  const [error] = (await once(connect({ path }), 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNREFUSED');
});

test.each([
  ['a directory that is not there', 'no/a.sock'],
  ['a directory in its place', 'folder.sock'],
])('%s is a failure with its reason, and nothing stays', async (_, name) => {
  mkdirSync(join(dir, 'folder.sock'));
  const path = join(dir, name);
  const before = descriptors();
  const made = withSockets([join(dir, 'first.sock'), path], () => 'used');
  const error: unknown = await made.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(Failed);
  expect((error as Failed).failure).toMatchObject({
    kind: 'socket-not-made',
    message: expect.stringMatching(new RegExp(` ${path}: \\S`)) as string,
  });
  expect(descriptors()).toBeLessThanOrEqual(before);
  expect(existsSync(`${path.slice(0, -1)}~`)).toBe(false);
});

test('this Node does what is beyond its documentation', async () => {
  await tryNode();
});

test.each([
  ['a server without a handle', createServer()],
  ['a handle without a number', { _handle: {} }],
  ['a number that is none', { _handle: { fd: -1 } }],
  ['the number of another file', { _handle: { fd: openSync('/dev/null', 'r') } }],
])('%s is a Node that cannot be used', (_, server) => {
  expect(() => fdOf(server as unknown as Server)).toThrow(
    expect.objectContaining({
      failure: expect.objectContaining({ kind: 'node-unfit' }) as unknown,
    }) as Error,
  );
});
