/** What a guest boots: laid once, taken again while it is the same, made anew where it is not. */
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { userNetwork } from '../../src/net/networks.ts';
import { BootFiles, type BootInput } from '../../src/supervisor/boot-files.ts';
import { chooseImage } from '../../src/supervisor/images.ts';
import { systemClock } from '../../src/system/clock.ts';
import { inSection } from '../../src/system/lock.ts';
import type { Log } from '../../src/system/log.ts';
import { readyIn } from '../model/ready.ts';
import { World } from '../model/world.ts';

let world: World;
let files: BootFiles;
beforeEach(async () => {
  world = await World.make();
  files = new BootFiles(world);
});
afterEach(() => world[Symbol.asyncDispose]());

const input = (changes: Partial<BootInput> = {}): BootInput => ({
  ...{ config: world.config, layout: world.layout, vm: 'qemu', guest: userNetwork.guest },
  ...changes,
});
const lay = (wanted = input()) => files.lay(chooseImage(wanted.config, wanted.layout), wanted);
const image = (part: string) => join(world.layout.images, `builder-${part}`);

test('are taken again while nothing has changed', () => {
  expect(files.again(input())).toBeUndefined();
  const laid = lay();
  expect(laid.cmdline).toBe('quiet 1');
  expect(files.again(input())).toBe(laid);
  const { kernel, initrd } = world.layout;
  expect(readFileSync(kernel)).toEqual(readFileSync(image('kernel')));
  expect(readFileSync(initrd).indexOf('ssh_host_ed25519_key')).toBeGreaterThan(0);
  expect(statSync(initrd).mode & 0o777).toBe(0o600);
});

const touch = (path: string) => utimesSync(path, 1, 1);
test.each<[string, () => unknown]>([
  ['another image was made', () => world.update()],
  ['the image is not there', () => rmSync(image('kernel'))],
  ['its kernel was written to', () => appendFileSync(image('kernel'), '!')],
  ['its command line was', () => writeFileSync(image('cmdline'), 'loud\n')],
  [
    'there is a good one beside it',
    () => writeFileSync(join(world.layout.images, 'good-kernel'), ''),
  ],
  ['it was rejected', () => writeFileSync(world.layout.imageRejected, '{}')],
  ['a key is another', () => touch(world.layout.clientKey)],
  ["the guest's key is another", () => touch(world.layout.hostKey)],
  ['the initrd is away', () => rmSync(world.layout.initrd)],
  ['the initrd was cut off', () => writeFileSync(world.layout.initrd, '')],
  ['the kernel beside it is away', () => rmSync(world.layout.kernel)],
  ['they were removed', () => files.remove()],
])('are not where %s', (_, change) => {
  lay();
  change();
  expect(files.again(input())).toBeUndefined();
});

test.each<[string, () => Partial<BootInput>]>([
  ['setting', () => ({ config: { ...world.config, maxJobs: 7 } })],
  ['network', () => ({ guest: { ...userNetwork.guest, gateway: '10.0.2.9' } })],
  ['VM program', () => ({ vm: 'hyperkit' })],
])('nor with another %s', (_, changes) => {
  lay();
  expect(files.again(input(changes()))).toBeUndefined();
});

test('stay what was looked at while another image is put in its place', () => {
  const before = readFileSync(image('kernel'));
  lay();
  world.update();
  writeFileSync(`${image('kernel')}.new`, 'another');
  rmSync(image('kernel'));
  expect(readFileSync(world.layout.kernel)).toEqual(before);
});

test('a bundle of links is taken for what they lead to', () => {
  const prefix = join(dirname(world.layout.root), 'theirs');
  for (const part of ['kernel', 'initrd.img', 'cmdline'])
    symlinkSync(image(part), `${prefix}-${part}`);
  lay(input({ config: { ...world.config, bundle: prefix } }));
  rmSync(`${prefix}-kernel`);
  expect(readFileSync(world.layout.kernel)).toEqual(readFileSync(image('kernel')));
});

test.runIf(existsSync('/dev/shm'))('one on another file system is copied', () => {
  const prefix = join('/dev/shm', `boot-files-${process.pid}`);
  const parts = ['kernel', 'initrd.img', 'cmdline'];
  try {
    for (const part of parts) writeFileSync(`${prefix}-${part}`, readFileSync(image(part)));
    lay(input({ config: { ...world.config, bundle: prefix } }));
    expect(readFileSync(world.layout.kernel)).toEqual(readFileSync(image('kernel')));
  } finally {
    for (const part of parts) rmSync(`${prefix}-${part}`, { force: true });
  }
});

// Behaviour 30: The guest that follows one that was ready for a minute is started at once, and of the same files where nothing has
// changed them: nobody else's work is waited for. After a change it takes what is there then.
test('a guest that was ready is followed at once, whoever is at work in the directory', async () => {
  const told: string[] = [];
  const log: Log = (_level, event) => void told.push(event);
  const { supervisor, phases, until, pass, getReady } = await readyIn(world, { log });
  const { layout, clock } = world;
  // The first guest of an image makes it the good one: the second is made from what there is then.
  supervisor.dispatch({ type: 'restart', why: 'a test' });
  await getReady();
  await pass(60_000);
  const inode = () => statSync(layout.initrd).ino;
  const [initrd, before, starts] = [inode(), phases.length, world.starts];
  const over = new AbortController();
  const held = once(over.signal, 'abort');
  const section = inSection(layout.startLock, { clock: systemClock }, () => held);
  world.kill('SIGKILL');
  await until('booting');
  expect(phases.slice(before)).toEqual(['stopping', 'starting', 'booting']);
  expect(world.starts).toBe(starts + 1);
  expect(inode()).toBe(initrd);
  expect(told).not.toContain('waiting-for-section');

  await getReady();
  await pass(60_000);
  world.update();
  world.kill('SIGKILL');
  while (!told.includes('waiting-for-section')) await clock.advance(5);
  expect(phases.at(-1)).toBe('starting');
  over.abort();
  await section;
  await until('booting');
  expect(readFileSync(layout.initrd)).not.toHaveLength(0);
  supervisor.dispatch({ type: 'stop' });
  await until('stopped');
  expect([layout.initrd, layout.kernel].filter(existsSync)).toEqual([]);
});
