/** Commands that ssh runs to know what of its configuration counts (`Match exec`): they may never end. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SshAsker } from '../../src/nix/ssh/ask-ssh.ts';
import { exceptGuest, notGuest } from '../../src/nix/ssh/stanza.ts';
import { identify, isAlive } from '../../src/system/process/process.ts';
import { configureRig } from '../setup/configure-rig.ts';
import { removeTree } from '../remove-tree.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'ssh-asked-'))));
afterEach(() => removeTree(folder));

/** A line with a command that does not end; each time that it is run it writes down who it is. */
const endless = (words = ''): string =>
  `Match ${words} exec "echo $$ >>'${folder}/runs'; exec sleep 1000"`;
const runs = (): readonly string[] => readFileSync(join(folder, 'runs'), 'utf8').trim().split('\n');

const { signal } = new AbortController();

test('a configuration that ssh is not done with is asked for once, and its command is ended', async () => {
  const file = join(folder, 'config');
  writeFileSync(file, `${endless()}\n  Port 9\n`);
  const asker = new SshAsker(signal, { askMs: 1_000 });
  const ask = (host: string) => asker.ask({ ssh: ['ssh'], file: ['-F', file], argv: [host] });
  expect(await ask('one')).toEqual({ kind: 'unfinished' });
  asker.forget();
  expect(await ask('two')).toEqual({ kind: 'unfinished' });
  expect(runs()).toHaveLength(1);
  const command = identify(Number(runs()[0]));
  await expect.poll(() => command !== undefined && isAlive(command)).toBe(false);
  const other = await asker.ask({ ssh: ['ssh'], file: ['-F', '/dev/null'], argv: ['one'] });
  expect(other.kind).toBe('listed');
});

test('an ssh that is missing, or says nothing, has refused no configuration', async () => {
  const asker = new SshAsker(signal);
  for (const program of [join(folder, 'missing'), 'false'])
    expect(await asker.ask({ ssh: [program], file: [], argv: ['one'] })).toEqual({
      kind: 'silent',
    });
  const file = join(folder, 'config');
  writeFileSync(file, 'Port many\n');
  const refused = await asker.ask({ ssh: ['ssh'], file: ['-F', file], argv: ['one'] });
  expect(refused.kind).toBe('refused');
});

test('configure goes on, names the command, and keeps what it knows', async () => {
  using rig = configureRig();
  const file = join(rig.systemPaths.home, '.ssh/config');
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const others = 'Host *\n  StdinNull yes\n';
  writeFileSync(file, others);
  expect((await rig.run('--no-root')).failure).toBeUndefined();
  const before = rig.read(rig.layout.sshConfig);
  expect(before).toContain('StdinNull');
  writeFileSync(file, `${others}${endless(notGuest)}\n  Port 2\n${endless()}\n  Port 9\n`);
  const { err, failure } = await rig.run('--no-root');
  expect(failure).toBeUndefined();
  expect(runs()).toHaveLength(1);
  const line = rig.read(file).split('\n').indexOf(endless()) + 1;
  expect(err.filter((each) => each.includes(`(${file}, line ${line})`))).toHaveLength(1);
  expect(rig.read(rig.layout.sshConfig)).toBe(before);
});

test('a fifo that is included is named', async () => {
  using rig = configureRig();
  const fifo = join(folder, 'fifo');
  spawnSync('mkfifo', [fifo]);
  const file = join(rig.systemPaths.home, '.ssh/config');
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, `Include ${fifo}\n`);
  const { err, failure } = await rig.run('--no-root');
  expect(failure).toBeUndefined();
  expect(err.filter((each) => each.includes(fifo))).toHaveLength(1);
});

test('a command that is not run for the guest, as is advised, holds up nothing', async () => {
  using rig = configureRig();
  const file = join(rig.systemPaths.home, '.ssh/config');
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, `Host *\n  StdinNull yes\n${endless(notGuest)}\n  Port 9\n`);
  const { err, failure } = await rig.run('--no-root');
  expect(failure).toBeUndefined();
  expect(err.filter((each) => each.includes(file))).toEqual([]);
  expect(existsSync(join(folder, 'runs'))).toBe(false);
  expect(rig.read(rig.layout.sshConfig)).toContain('StdinNull');
});

test('an option that is kept from the guest, as is advised, is told no more', async () => {
  using rig = configureRig();
  const file = join(rig.systemPaths.home, '.ssh/config');
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const lines = ['IgnoreUnknown StdinNull', 'Host *', 'StdinNull yes'];
  writeFileSync(file, lines.join('\n'));
  const warned = await rig.run('--no-root');
  expect(warned.err.filter((each) => each.includes(file))).toHaveLength(1);
  writeFileSync(file, rig.read(file).replace('Host *', exceptGuest));
  const { err, failure } = await rig.run('--no-root');
  expect(failure).toBeUndefined();
  expect(err.filter((each) => each.includes(file))).toEqual([]);
});
