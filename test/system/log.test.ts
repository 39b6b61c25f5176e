import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLog } from '../../src/system/log.ts';
import { makeProgram, outcome, runProgram } from '../rig/other-process.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'log-'))));
afterEach(() => removeTree(dir));
const lines = (path: string) => readFileSync(path, 'utf8').trim().split('\n');

test('debug lines are written while they are wanted, whatever was wanted before', () => {
  const path = join(dir, 'daemon.log');
  let isVerbose = false;
  const log = openLog({ path, isVerbose: () => isVerbose });
  log('debug', 'too-early');
  log('info', 'always');
  isVerbose = true;
  log('debug', 'now', { n: 1 });
  isVerbose = false;
  log('debug', 'too-late');
  expect(lines(path).map((line) => JSON.parse(line) as object)).toMatchObject([
    { level: 'info', event: 'always' },
    { level: 'debug', event: 'now', n: 1 },
  ]);
});

test('it is private whatever the umask', () => {
  const path = join(dir, 'daemon.log');
  process.umask(0);
  openLog({ path })('info', 'words of the guest');
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

/** A log whose process then ends at once. */
const logger = `
  import { openLog } from '../../src/system/log.ts';
  const [path, how] = process.argv.slice(2);
  const log = openLog({ path });
  for (let n = 0; n < 1000; n++) log('info', 'line', { n });
  if (how === 'exit') process.exit(0);
  process.kill(process.pid, how);
`;

test.each(['exit', 'SIGTERM', 'SIGKILL', 'SIGABRT'])(
  'what was logged is in the file when the process ends at once by %s',
  async (how) => {
    const path = join(dir, 'daemon.log');
    await outcome(runProgram(await makeProgram(dir, logger), [path, how]));
    expect(lines(path).length).toBe(1000);
  },
);

test.each([
  ['half a line', '{"event":"whole"}\n{"event":"to', ['whole', 'next']],
  ['half a line and nothing else', '{"event":"to', ['next']],
  ['whole lines', '{"event":"whole"}\n', ['whole', 'next']],
])('behind %s, which a killed process left, stand whole lines', (_, left, events) => {
  const path = join(dir, 'daemon.log');
  writeFileSync(path, left);
  openLog({ path })('info', 'next');
  expect(lines(path).map((line) => (JSON.parse(line) as { event: string }).event)).toEqual(events);
});

test('a full disk loses lines, and nothing else', async () => {
  const program = await makeProgram(dir, logger);
  expect(await outcome(runProgram(program, ['/dev/full', 'exit']))).toEqual({
    code: 0,
    signal: null,
    said: '',
  });
});
