/** What a guest boots: laid once, taken again while it is the same, made anew where it is not. */
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { userNetwork } from '../../src/net/networks.ts';
import { Staging, type BootInput } from '../../src/supervisor/start/staging.ts';
import { chooseImage } from '../../src/supervisor/start/image-choice.ts';
import { readStatus } from '../../src/supervisor/status/status.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { withOperationLock } from '../../src/system/lock/lock.ts';
import type { Log } from '../../src/system/log.ts';
import { readyIn } from '../model/ready.ts';
import { vmPrograms } from '../../src/domain/vm-programs.ts';
import type { Manifest } from '../../src/vm/boot-image.ts';
import { World } from '../model/world.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

let world: World;
let files: Staging;
beforeEach(async () => {
  world = await World.make();
  const { layout, clock } = world;
  files = new Staging({ layout, clock, isOurs: () => true });
});
afterEach(() => world[Symbol.asyncDispose]());

const input = (changes: Partial<BootInput> = {}): BootInput => ({
  config: world.config,
  layout: world.layout,
  vm: 'qemu',
  row: vmPrograms.qemu,
  guest: userNetwork.guest,
  ...changes,
});
const lay = (wanted = input()) => files.stage(chooseImage(wanted.config, wanted.layout), wanted);
const image = (part: string) => join(world.layout.images, `builder-${part}`);

test('are taken again while nothing has changed', () => {
  expect(files.reuse(input())).toBeUndefined();
  lay();
  // Once more, as after a daemon that was killed.
  const laid = lay();
  expect(readdirSync(world.layout.state).filter((name) => name.endsWith('.new'))).toEqual([]);
  expect(laid.cmdline).toBe('quiet 1');
  expect(files.reuse(input())).toEqual(laid);
  const { kernel, initrd } = world.layout;
  expect(readFileSync(kernel)).toEqual(readFileSync(image('kernel')));
  expect(readFileSync(initrd).indexOf('ssh_host_ed25519_key')).toBeGreaterThan(0);
  expect(statSync(initrd).mode & 0o777).toBe(0o600);
});

// Behaviour 155: QEMU gets the guest's root as a disk that cannot be written. An emulated x86 guest boots its kernel unpacked.
test('are the parts of an image that has them, for a program that boots them', () => {
  const manifest = JSON.parse(readFileSync(image('manifest.json'), 'utf8')) as Manifest;
  const root = { stage1: 512, at: 1024, size: 512 };
  const unpacked = { sha256: '', size: 5 };
  const sums = { ...manifest.files, unpacked };
  writeFileSync(image('manifest.json'), JSON.stringify({ ...manifest, root, files: sums }));
  writeFileSync(image('vmlinux'), 'plain');
  writeFileSync(image('initrd.img'), Buffer.alloc(2048, 7));
  const { layout } = world;
  const seedAt = () => readFileSync(layout.initrd).indexOf('070701');
  expect(lay().parts).toEqual({ isUnpacked: true, root });
  expect(readFileSync(layout.unpacked, 'utf8')).toBe('plain');
  expect(readFileSync(layout.rootImage)).toEqual(readFileSync(image('initrd.img')));
  expect(seedAt()).toBe(512);
  expect(statSync(layout.initrd).mode & 0o777).toBe(0o600);
  rmSync(layout.rootImage);
  expect(files.reuse(input())).toBeUndefined();
  const whole = lay(input({ row: vmPrograms.hyperkit }));
  expect(whole.parts).toEqual({ isUnpacked: false, root: undefined });
  expect(seedAt()).toBe(2048);
  expect([layout.unpacked, layout.rootImage].filter(existsSync)).toEqual([]);
});

const touch = (path: string) => utimesSync(path, 1, 1);
test.each<[string, () => unknown]>([
  ['another image was made', () => world.update()],
  ['the image is not there', () => rmSync(image('kernel'))],
  ['its kernel was written to', () => appendFileSync(image('kernel'), '!')],
  ['its command line was', () => writeFileSync(image('cmdline'), 'loud\n')],
  ['a key is another', () => touch(world.layout.clientKey)],
  ["root's key is another", () => touch(world.layout.rootKey)],
  ["the guest's key is another", () => touch(world.layout.hostKey)],
  ['others can read a key', () => chmodSync(world.layout.clientKey, 0o640)],
  ["others can read root's", () => chmodSync(world.layout.rootKey, 0o604)],
  ["others can read the guest's", () => chmodSync(world.layout.hostKey, 0o644)],
  ['the initrd is away', () => rmSync(world.layout.initrd)],
  ['the initrd was cut off', () => writeFileSync(world.layout.initrd, '')],
  ['the kernel beside it is away', () => rmSync(world.layout.kernel)],
  ['they were removed', () => files.remove()],
])('are not where %s', (_, change) => {
  lay();
  change();
  expect(files.reuse(input())).toBeUndefined();
});

test.each<[string, () => Partial<BootInput>]>([
  ['setting', () => ({ config: { ...world.config, maxJobs: 7 } })],
  ['network', () => ({ guest: { ...userNetwork.guest, gateway: '10.0.2.9' } })],
  ['VM program', () => ({ vm: 'hyperkit' })],
  ['way to the agent', () => ({ row: { agent: 'vsock', ssh: 'network', bootsParts: true } })],
])('nor with another %s', (_, changes) => {
  lay();
  expect(files.reuse(input(changes()))).toBeUndefined();
});

test('stay what was looked at while another image is put in its place', () => {
  const before = readFileSync(image('kernel'));
  lay();
  world.update();
  writeFileSync(`${image('kernel')}.new`, 'another');
  rmSync(image('kernel'));
  expect(readFileSync(world.layout.kernel)).toEqual(before);
});

test('that an image became the good one changes nothing; that it was rejected does', () => {
  const laid = lay();
  for (const part of ['kernel', 'initrd.img', 'cmdline', 'manifest.json'])
    linkSync(image(part), join(world.layout.images, `good-${part}`));
  const again = files.reuse(input());
  expect(again).toMatchObject({ bundle: laid.bundle, cmdline: laid.cmdline });
  expect(again?.image.images?.good).toBe(again?.image.images?.newest);

  world.update();
  const newest = chooseImage(world.config, world.layout).images?.newest;
  lay();
  expect(files.reuse(input())?.image.prefix).toMatch(/builder$/);
  const rejected = { image: newest, at: '2026-01-01T00:00:00.000Z', message: 'no' };
  writeFileSync(world.layout.imageRejected, JSON.stringify(rejected));
  expect(files.reuse(input())).toBeUndefined();
  expect(lay().image.prefix).toMatch(/good$/);
  expect(files.reuse(input())).toBeDefined();
  rmSync(world.layout.imageRejected);
  expect(files.reuse(input())).toBeUndefined();
});

test('an image on another file system is copied', needs({ path: '/dev/shm' }), () => {
  const away = mkdtempSync('/dev/shm/images-');
  try {
    cpSync(world.layout.images, away, { recursive: true });
    removeTree(world.layout.images);
    symlinkSync(away, world.layout.images);
    lay();
    expect(readFileSync(world.layout.kernel)).toEqual(readFileSync(image('kernel')));
    expect(files.reuse(input())).toBeDefined();
  } finally {
    removeTree(away);
  }
});

describe("somebody's own bundle", () => {
  const parts = ['kernel', 'initrd.img', 'cmdline'];
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'bundle-'))));
  afterEach(() => removeTree(folder));
  const theirs = () => input({ config: { ...world.config, bundle: join(folder, 'b') } });
  const copyTo = (at: string) => {
    for (const part of parts) copyFileSync(image(part), `${at}-${part}`);
  };

  test('can be links, which may lead to other files later', () => {
    copyTo(join(folder, 'old'));
    // A store that deletes may give a new file all that tells the old one from others, but for its name.
    for (const part of parts) linkSync(join(folder, `old-${part}`), join(folder, `new-${part}`));
    const lead = (to: string) => {
      for (const part of parts) {
        rmSync(join(folder, `b-${part}`), { force: true });
        symlinkSync(join(folder, `${to}-${part}`), join(folder, `b-${part}`));
        // As in a store of Nix.
        touch(join(folder, `${to}-${part}`));
      }
    };
    lead('old');
    lay(theirs());
    expect(lstatSync(world.layout.kernel).isFile()).toBe(true);
    expect(files.reuse(theirs())).toBeDefined();
    lead('new');
    expect(files.reuse(theirs())).toBeUndefined();
  });

  test('can be written into: the kernel that was looked at stays', () => {
    copyTo(join(folder, 'b'));
    lay(theirs());
    writeFileSync(join(folder, 'b-kernel'), 'other');
    expect(readFileSync(world.layout.kernel)).toEqual(readFileSync(image('kernel')));
    expect(files.reuse(theirs())).toBeUndefined();
  });

  test('can lead nowhere: that is for whoever looks at it to say', () => {
    copyTo(join(folder, 'b'));
    lay(theirs());
    rmSync(join(folder, 'b-kernel'));
    symlinkSync('b-kernel', join(folder, 'b-kernel'));
    expect(files.reuse(theirs())).toBeUndefined();
  });
});

// Behaviour 35: A guest that was ready for a minute and then died is restarted at once from the files of its last
// start, even while another command, such as `image build`, is working in the state directory. If the image, the
// settings or the keys have changed since, the restart waits for that command, and prepares new files.
test('a guest that was ready is followed at once, whoever is at work in the directory', async () => {
  const told: string[] = [];
  const log: Log = (_level, event) => void told.push(event);
  const { supervisor, phases, until, pass, getReady } = await readyIn(world, { log });
  const { layout, clock } = world;
  await pass(60_000);
  const inode = () => statSync(layout.initrd).ino;
  const [initrd, before, starts] = [inode(), phases.length, world.starts];
  const over = new AbortController();
  const held = once(over.signal, 'abort');
  const section = withOperationLock(layout.startLock, { clock: systemClock }, () => held);
  world.kill('SIGKILL');
  await until('booting');
  expect(phases.slice(before)).toEqual(['stopping', 'starting', 'booting']);
  expect(world.starts).toBe(starts + 1);
  expect(inode()).toBe(initrd);
  expect(world.asked).toBe(0);
  const found = readStatus(layout);
  const prefix = join(layout.images, 'builder');
  expect(found).toMatchObject({ status: { attempt: 1, image: { prefix } } });
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
