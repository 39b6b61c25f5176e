/** What a person can get wrong, and what is said about it: nothing here needs a guest that is ready. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Manifest } from '../../src/vm/boot-image.ts';
import { fact } from './command.ts';
import { BuilderRig, testImage } from './rig.ts';
import { stopAtOnce } from './stop-at-once.ts';

const settings = (rig: BuilderRig): Record<string, unknown> =>
  JSON.parse(readFileSync(rig.layout.config, 'utf8')) as Record<string, unknown>;
const settle = (rig: BuilderRig, changes: Record<string, unknown>) =>
  writeFileSync(rig.layout.config, JSON.stringify({ ...settings(rig), ...changes }));
const mistakes = { cpus: 300, memoryMiB: 'much', port: 0, colour: 'red' };

test('a config with several mistakes is refused with all of them', async (context) => {
  await using rig = await BuilderRig.create({ context });
  settle(rig, mistakes);
  for (const command of ['daemon', 'start']) {
    const refused = await rig.cli(command);
    expect(refused.end).toBe(78);
    for (const name of Object.keys(mistakes)) expect(refused.stderr).toMatch(name);
    await rig.leavesNothing();
  }
  writeFileSync(rig.layout.config, '{ "cpus": 2,');
  expect((await rig.cli('daemon')).stderr).toContain('is not valid JSON');
});

// Behaviour 99: After a failure that another attempt cannot fix, the daemon gives up at once. If `config.json` then
// changes, the daemon reads it and starts the guest at once.
test('under launchd the daemon lives on in `failed`, and begins when the file is mended', async (context) => {
  await using rig = await BuilderRig.create({ context });
  const good = settings(rig);
  settle(rig, mistakes);
  const daemon = rig.begin('daemon', '--managed');
  const { because, problems } = await rig.reaches('failed');
  expect(because?.kind).toBe('config-invalid');
  expect(problems?.map(({ path }) => path).sort()).toEqual(Object.keys(mistakes).sort());
  const said = await rig.cli('status');
  expect(said.end).toBe(78);
  for (const name of Object.keys(mistakes)) expect(said.stdout).toMatch(name);
  expect((await rig.cli('wait')).end).toBe(78);
  writeFileSync(rig.layout.config, JSON.stringify(good));
  expect((await rig.reaches('booting')).problems).toBeUndefined();
  await stopAtOnce(rig);
  expect(await daemon.ended).toBe(0);
});

test('a daemon that runs goes on with what it had, and says what is wrong with the new', async (context) => {
  await using rig = await BuilderRig.create({ context });
  const good = settings(rig);
  rig.begin('daemon');
  const { vmPid, builder } = await rig.reaches('booting');
  settle(rig, mistakes);
  const wrong = await rig.untilStatus('problems', ({ problems }) => problems !== undefined);
  expect(wrong.problems).toHaveLength(4);
  expect(wrong).toMatchObject({ vmPid, builder });
  // It may be through with that by now.
  expect(['booting', 'ready']).toContain(wrong.phase);
  expect((await rig.cli('status')).stdout).toContain('cpus = 300');
  writeFileSync(rig.layout.config, JSON.stringify(good));
  await rig.untilStatus('no problems', ({ problems }) => problems === undefined);
  await stopAtOnce(rig);
});

const images: readonly (readonly [what: string, spoil: (prefix: string) => void, kind: string])[] =
  [
    ['that is not there', (prefix) => writeFileSync(`${prefix}-cmdline`, 'quiet'), 'image-missing'],
    [
      'whose initrd was cut off',
      (prefix) => {
        copyImage(prefix);
        truncateSync(`${prefix}-initrd.img`, 1_000_000);
      },
      'image-truncated',
    ],
    [
      'whose initrd has grown',
      (prefix) => {
        copyImage(prefix);
        appendFileSync(`${prefix}-initrd.img`, 'more');
      },
      'image-wrong-hash',
    ],
    [
      'that is no kernel',
      (prefix) => {
        for (const part of ['kernel', 'initrd.img', 'cmdline'])
          writeFileSync(`${prefix}-${part}`, 'words\n');
      },
      'image-kernel-unknown',
    ],
  ];

// Behaviour 34: Nothing is launched before the image, the keys and the disk have been checked. Each problem has a
// name and a remedy.
test.for(images)('an image %s: named once, with how to make it', async (image, context) => {
  const [, spoil, kind] = image;
  await using rig = await BuilderRig.create({ context });
  const prefix = join(rig.dir, 'image');
  spoil(prefix);
  settle(rig, { bundle: prefix });
  await rig.cli('start');
  const waited = await rig.cli('wait');
  expect([65, 66]).toContain(waited.end);
  expect(waited.stderr).toContain(prefix);
  expect(waited.stderr).toContain('linuxkit-builder image build');
  expect(rig.status()?.because?.kind).toBe(kind);
  expect(rig.phases()).toEqual(['starting', 'stopping', 'failed']);
  const verified = rig.program(['image', 'verify', prefix]);
  expect([65, 66]).toContain(await verified.ended);
  expect(verified.stderr).toContain('linuxkit-builder image build');
  expect((await rig.cli('stop')).end).toBe(0);
  await rig.leavesNothing();
});

// Behaviour 152: An image that this program made is not started if packages in it are below the lowest acceptable
// versions, and the daemon does not fall back to such an image. There is one exception: the image that
// `acceptOldImage` names is started, and `status` says so.
test('an image with a Nix that lets builds out is not started, unless it is the one that is accepted', async (context) => {
  await using rig = await BuilderRig.create({ context });
  expect((await rig.cli('configure', '--no-root', '--reset', 'bundle')).end).toBe(0);
  mkdirSync(rig.layout.images, { recursive: true });
  for (const name of ['builder', 'good']) {
    const prefix = join(rig.layout.images, name);
    copyImage(prefix);
    const manifest = JSON.parse(readFileSync(`${prefix}-manifest.json`, 'utf8')) as Manifest;
    manifest.packages['nix-bin'] = '2.26.3+dfsg-1';
    manifest.indexDate = '2026-01-02T03:04:05.000Z';
    writeFileSync(`${prefix}-manifest.json`, JSON.stringify(manifest));
  }
  await rig.cli('start');
  const waited = await rig.cli('wait');
  expect(waited.end).toBe(78);
  expect(waited.stderr).toContain('its Nix 2.26.3+dfsg-1 is older than 2.34.5');
  expect(waited.stderr).toContain('linuxkit-builder image build');
  expect(waited.stderr).toContain('"acceptOldImage": "20260102T030405Z"');
  expect(rig.status()?.because?.kind).toBe('image-below-floor');
  expect(readdirSync(rig.layout.images).filter((name) => name.startsWith('good-'))).toEqual([]);

  settle(rig, { acceptOldImage: '20260102T030406Z' });
  await rig.cli('restart');
  expect((await rig.cli('wait')).end).toBe(78);

  settle(rig, { acceptOldImage: '20260102T030405Z' });
  await rig.cli('restart');
  await rig.reaches('booting');
  const screen = (await rig.cli('status')).stdout.replaceAll(/\s+/g, ' ');
  expect(screen).toContain('it is used because acceptOldImage allows it');
  await stopAtOnce(rig);
});

test('a disk that another QEMU has open: the log names cause and remedy, and status says the same', async (context) => {
  await using rig = await BuilderRig.create({ context });
  writeFileSync(rig.layout.disk, '');
  truncateSync(rig.layout.disk, 4 * 1024 ** 3);
  const name = process.arch === 'arm64' ? 'qemu-system-aarch64' : 'qemu-system-x86_64';
  const other = rig.run(
    [
      name,
      '-S',
      '-display',
      'none',
      '-nodefaults',
      '-machine',
      'virt,accel=tcg',
      '-drive',
      `file=${rig.layout.disk},format=raw,if=none,id=d`,
      '-device',
      'virtio-blk-pci,drive=d',
      '-monitor',
      'stdio',
    ].map((word) => (process.arch === 'arm64' ? word : word.replace('virt,', 'q35,'))),
    { input: true },
  );
  await fact('the other one runs', () => other.said.includes('(qemu)'));
  rig.beginWith({}, 'daemon');
  const { because } = await rig.untilStatus('it waits', ({ phase }) => phase === 'backing-off');
  expect(because?.known).toMatch(/lima-vm.lima#357/);
  expect(JSON.stringify(rig.log('phase'))).toContain('lima-vm/lima#357');
  expect((await rig.cli('status')).stdout.replaceAll(/\s+/g, ' ')).toContain('lima-vm/lima#357');
  // Once it is gone, the next attempt has the disk.
  other.write('quit\n');
  await other.ended;
  await rig.reaches('ready');
  expect((await rig.cli('stop')).end).toBe(0);
  await rig.leavesNothing();
});

test('a daemon whose terminal has gone away lives on', async (context) => {
  await using rig = await BuilderRig.create({ context });
  settle(rig, mistakes);
  const daemon = rig.begin('daemon', '--managed');
  await rig.reaches('failed');
  await fact('it prints', () => daemon.stderr !== '');
  daemon.hangUp();
  // Each is another sentence for a reader who is not there.
  for (const port of [0, 70_000, -1]) {
    settle(rig, { ...mistakes, port });
    await rig.untilStatus(`port ${port}`, ({ problems }) =>
      JSON.stringify(problems).includes(`"value":${port}`),
    );
  }
  expect(daemon.end).toBeUndefined();
  daemon.signal('SIGTERM');
  expect(await daemon.ended).toBe(0);
  await rig.leavesNothing();
});

test("somebody else's disk is left alone, to the byte", async (context) => {
  await using rig = await BuilderRig.create({ context });
  const photos = Buffer.alloc(3 * 1024 * 1024 + 7, 'holiday ');
  writeFileSync(rig.layout.disk, photos);
  await rig.cli('start');
  expect((await rig.cli('wait')).end).toBe(65);
  expect(rig.status()?.because?.kind).toBe('disk-not-ours');
  expect(hashOf(readFileSync(rig.layout.disk))).toBe(hashOf(photos));
});

test("a port that is taken: named with its owner's pid", async (context) => {
  await using rig = await BuilderRig.create({ context });
  const owner = createServer().listen(rig.port, '127.0.0.1');
  await once(owner, 'listening');
  rig.begin('daemon');
  const { because } = await rig.untilStatus('a failure', (status) => status.because !== undefined);
  expect(because?.kind).toBe('door-port-taken');
  expect(because?.message).toContain(`pid ${process.pid}`);
  expect(because?.message).toContain(String(rig.port));
  owner.close();
  await rig.reaches('booting');
  await stopAtOnce(rig);
});

test("a state directory that is not the user's: said, and nothing is written", async (context) => {
  await using rig = await BuilderRig.create({ context });
  const asNobody = process.getuid?.() === 0;
  chmodSync(rig.dir, 0o755);
  if (asNobody) chmodSync(rig.layout.root, 0o755);
  for (const path of [rig.layout.root, rig.layout.state]) chmodSync(path, 0o555);
  chmodSync(rig.layout.config, 0o444);
  const through = asNobody ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
  const files = () => readdirSync(rig.layout.root, { recursive: true, encoding: 'utf8' }).sort();
  const before = files();
  for (const command of ['daemon', 'start', 'configure']) {
    const refused = rig.program([command, '-d', rig.layout.root], { through });
    expect([64, 73, 77]).toContain(await refused.ended);
    expect(refused.stderr).toMatch(/Cannot write|belongs to another user/);
    expect(refused.stderr).toContain(rig.layout.root);
    expect(files()).toEqual(before);
  }
  for (const path of [rig.layout.root, rig.layout.state]) chmodSync(path, 0o700);
});

test.for([
  ['too long', `/tmp/${'x'.repeat(90)}`, 'too long'],
  ['with a comma', '/tmp/a,b', '","'],
  ['with a line break', '/tmp/a\nb', '"\\n"'],
  ['with a quote', '/tmp/a"b', '\\"'],
] as const)('a state directory %s is refused by name', async ([, directory, why], context) => {
  await using rig = await BuilderRig.create({ context });
  for (const command of ['daemon', 'start', 'configure', 'status']) {
    const refused = rig.program([command, '-d', directory]);
    expect(await refused.ended).toBe(command === 'configure' ? 64 : 78);
    expect(refused.stderr).toContain(why);
  }
});

function copyImage(prefix: string): void {
  for (const part of ['kernel', 'initrd.img', 'cmdline', 'manifest.json'])
    copyFileSync(`${testImage()}-${part}`, `${prefix}-${part}`);
}

const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
