import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { imageCommands } from '../../src/cli/image/image-command.ts';
import { infoLines, verifiedWords } from '../../src/cli/image/image-words.ts';
import { plainly } from '../../src/system/advice.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { failureOf, type Failure } from '../../src/system/failure.ts';
import { openControl } from '../../src/supervisor/daemon/control.ts';
import { silent } from '../../src/system/log.ts';
import { calm } from '../fakes/commands.ts';
import { statusIn } from '../fakes/status-in.ts';
import { fakeKernel, publishSmall } from '../fakes/fake-image.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { FakeMirror, fakeKey, sendRange } from '../fakes/fake-mirror.ts';
import { FakeProxy } from '../fakes/fake-proxy.ts';
import { saying } from '../fakes/saying.ts';
import { removeTree } from '../remove-tree.ts';

const key = await fakeKey({ date: new Date('2020-01-01') });
let mirror: FakeMirror;
let directory = '';
let state = '';
/** Whatever proxy apt is told of on this machine: the mirrors of these tests are beside them. */
const beside = { no_proxy: '127.0.0.1' };
let env: Record<string, string> = beside;
beforeAll(async () => {
  mirror = await FakeMirror.start(key);
});
afterAll(() => mirror[Symbol.asyncDispose]());
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'image-'));
  state = join(directory, 'state');
  const image = join(directory, 'src/image');
  mkdirSync(join(image, 'keyring'), { recursive: true });
  writeFileSync(join(image, 'keyring/test.asc'), key.armored);
  symlinkSync(join(import.meta.dirname, '../../src/image/rootfs'), join(image, 'rootfs'));
  // The sources are there: a checkout.
  writeFileSync(join(image, 'recipe.ts'), '');
  await publishSmall(mirror, '6.12.201');
});
afterEach(() => {
  env = beside;
  removeTree(directory);
});

interface Outcome {
  readonly out: string;
  readonly err: string;
  readonly failure: Failure | undefined;
}

async function image(...argv: string[]): Promise<Outcome> {
  const said = { out: '', err: '' };
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  imageCommands(program.command('image'), {
    env,
    home: '/nonexistent',
    assets: directory,
    out: (line) => (said.out += `${plainly(line)}\n`),
    err: (line) => (said.err += `${plainly(line)}\n`),
    isTTY: false,
    signal: new AbortController().signal,
    clock: systemClock,
    onStopSignal: () => undefined,
    exit: () => undefined,
  });
  try {
    await program.parseAsync(['image', ...argv, '-d', state], { from: 'user' });
    return { ...said, failure: undefined };
  } catch (error) {
    return { ...said, failure: failureOf(error) };
  }
}
const build = (...argv: string[]) => image('build', '--mirror', mirror.url, ...argv);

describe('image build', () => {
  test('--update makes a lock and an image, which info and verify know', async () => {
    const made = await build('--update', '--arch', 'amd64', '-o', join(directory, 'out/x'));
    expect(made.failure).toBeUndefined();
    expect(made.out).toMatch(/^Built .*out\/x \(Linux 6\.12\.201, Debian trixie, [\d.]+ MiB\)\.$/m);
    expect(made.err).toContain('Created the lock from ');
    expect(made.err).toMatch(/^Fetching: .* of .* MiB, .* MiB\/s, /m);
    expect(readdirSync(join(directory, 'out'))).toHaveLength(4);

    const info = await image('info', join(directory, 'out/x'));
    expect(info.out).toContain('Linux 6.12.201 for amd64');
    const json = JSON.parse(
      (await image('info', '--json', join(directory, 'out/x'))).out,
    ) as object;
    expect(json).toMatchObject({ manifest: { arch: 'amd64', kernelVersion: '6.12.201' } });
    expect((await image('verify', join(directory, 'out/x'))).out).toContain(
      verifiedWords(join(directory, 'out/x'), true),
    );
  });

  test('goes to the state directory, where the others look; the second one says so', async () => {
    expect((await build('--update')).out).toMatch(/^Built .*state\/image\/builder /);
    expect((await build()).out).toMatch(/state\/image\/builder is up to date/);
    expect((await image('verify')).out).toMatch(/state\/image\/builder is complete/);
    // Whatever became of it: who makes it again has it tried again.
    const { imageRejected } = layoutOf(state);
    const record = { image: 'x', at: '2026-01-01T00:00:00.000Z', message: 'It panicked.' };
    writeFileSync(imageRejected, JSON.stringify(record));
    expect((await build()).out).toMatch(/next start.*failed to boot before: It panicked\./);
    expect(existsSync(imageRejected)).toBe(false);
    expect((await image('info')).out).toContain('state/image/builder');
  });

  test('says that the next start uses it to whoever has a daemon whose guest has another', async () => {
    expect((await build('--update')).out).not.toContain('next start');
    const layout = layoutOf(state);
    const status = () => ({ ...statusIn({ phase: 'ready', since: 0, attempt: 1 }) });
    const control = await openControl(layout, { ...calm, status }, silent);
    try {
      expect((await build()).out).toContain('The guest will use this image from its next start on');
      // The guest that is there got ready with it.
      for (const name of readdirSync(layout.images))
        linkSync(join(layout.images, name), join(layout.images, name.replace('builder', 'good')));
      const again = (await build()).out;
      expect(again).toContain('is up to date');
      expect(again).not.toContain('next start');
    } finally {
      control.close();
    }
  });

  test('goes through the proxy that the environment names', async () => {
    await using proxy = await FakeProxy.to(Number(new URL(mirror.url).port));
    env = { http_proxy: `http://${proxy.address}` };
    const made = await image(
      'build',
      '--mirror',
      'http://only-by-proxy.invalid/debian',
      '--update',
    );
    expect(made.failure).toBeUndefined();
    expect(made.err).toContain('Mirror: http://only-by-proxy.invalid/debian, as requested.');
    expect(proxy.asked).toContain('GET http://only-by-proxy.invalid/debian/dists/trixie/InRelease');
  });

  test('goes on after a mirror that was busy once for each file', async () => {
    const seen = new Set<string>();
    for (const [path, file] of mirror.files)
      mirror.answers.set(path, (request, response) => {
        if (seen.has(path)) return sendRange(request, response, file);
        seen.add(path);
        response.writeHead(503, { 'retry-after': '0' }).end('busy');
      });
    try {
      const made = await build('--update');
      expect(made.failure).toBeUndefined();
      expect(made.out).toMatch(/^Built /);
      expect(seen.size).toBeGreaterThan(5);
    } finally {
      mirror.answers.clear();
    }
  });

  test('refuses a mirror with a login, and shows none', async () => {
    const { failure } = await image('build', '--mirror', 'http://u:s3cret@m.invalid/debian');
    expect(failure).toMatchObject({ kind: 'mirror-invalid', exit: 64 });
    expect(JSON.stringify(failure)).not.toContain('s3cret');
  });

  test('takes what the mirror has no longer from the second address of the settings', async () => {
    await build('--update');
    removeTree(join(state, 'downloads'));
    const path = [...mirror.files.keys()].find((name) => name.includes('/socat_')) ?? '';
    mirror.files.set(`old/${path}`, mirror.files.get(path) ?? Buffer.alloc(0));
    mirror.files.delete(path);
    writeFileSync(join(state, 'config.json'), JSON.stringify({ snapshots: `${mirror.url}/old` }));
    removeTree(join(state, 'image'));
    const made = await build('--quiet');
    expect(made).toMatchObject({ err: '', failure: undefined });
    expect(mirror.requests).toContain(`old/${path}`);
  });

  test('for another machine does not replace the image of this one', async () => {
    const other = process.arch === 'arm64' ? 'amd64' : 'arm64';
    await build('--update', '--arch', other);
    expect(existsSync(join(state, `image/builder-${other}-kernel`))).toBe(true);
    expect(existsSync(join(state, 'image/builder-kernel'))).toBe(false);
  });

  test('--quiet says nothing but warnings', async () => {
    await build('--update', '--quiet');
    removeTree(state);
    await publishSmall(mirror, '6.12.202');
    const quiet = await build('--quiet');
    expect(quiet.out).toBe('');
    expect(quiet.err).toMatch(/^Warning: .*linux-image-6\.12\.202 6\.12\.202 \(new\).*\n$/);
  });

  test('--update mends a broken lock and keeps a good one from an older index', async () => {
    const lock = join(directory, 'src/image/lock.json');
    writeFileSync(lock, '{');
    expect((await build()).failure?.kind).toBe('lock-unusable');
    expect((await build('--update')).failure).toBeUndefined();
    const before = readFileSync(lock, 'utf8');
    await publishSmall(mirror, '6.12.200', { date: new Date('2026-01-01') });
    expect((await build('--update')).failure?.kind).toBe('release-older');
    expect(readFileSync(lock, 'utf8')).toBe(before);
  });

  test('believes no mirror that somebody else signs', async () => {
    await mirror.sign('Codename: trixie\nDate: Fri, 02 Jan 2026 03:04:05 UTC\n', await fakeKey());
    const { failure } = await build('--update');
    expect(failure).toMatchObject({ kind: 'release-wrong-signature', exit: 65 });
    expect(existsSync(join(directory, 'src/image/lock.json'))).toBe(false);
    expect(existsSync(join(state, 'image'))).toBe(false);
  });

  test('takes no address that is none', async () =>
    expect((await image('build', '--mirror', 'nowhere')).failure).toMatchObject({
      kind: 'mirror-invalid',
      exit: 64,
    }));
});

// Behaviour 156: `image update` makes an image from the newest packages, and records these in a lock file in the
// state directory. That file is used as long as it was made from newer package lists of Debian than the program's own
// lock file.
// Behaviour 157: Only `image build --update`, in a checkout, renews the program's own lock file.
describe('image update', () => {
  // It is refused without a builder.
  beforeEach(() => {
    mkdirSync(state, { mode: 0o700 });
    writeFileSync(layoutOf(state).config, '{}');
  });
  const update = (...argv: string[]) => image('update', '--mirror', mirror.url, ...argv);
  const own = () => readFileSync(join(directory, 'src/image/lock.json'), 'utf8');
  const kernel = async () => /Linux (\S+) for/.exec((await image('info')).out)?.[1];
  const later = (ms: number) => ({ date: new Date(Date.now() + ms) });

  test('leaves the lock of the program, and counts from then on', async () => {
    await build('--update');
    const before = own();
    await publishSmall(mirror, '6.12.202', later(-1_000));
    const updated = await update();
    expect(updated.failure).toBeUndefined();
    expect(updated.out).toContain('Linux 6.12.202');
    expect(own()).toBe(before);
    expect(existsSync(layoutOf(state).imageLock)).toBe(true);
    expect((await build()).out).toContain('is up to date (Linux 6.12.202');

    // A newer release of the program comes with a newer lock.
    await publishSmall(mirror, '6.12.203', later(0));
    await build('--update');
    expect(own()).not.toBe(before);
    expect(await kernel()).toBe('6.12.203');
  });

  test.each([
    ['is broken', () => '{'],
    ['is of another recipe', (text: string) => text.replaceAll('"socat"', '"other"')],
    ['is below a floor', (text: string) => text.replaceAll('"9:1.0"', '"1.0"')],
  ])('counts for nothing where its lock %s', async (_, change) => {
    await build('--update');
    await publishSmall(mirror, '6.12.202', later(-1_000));
    await update();
    const { imageLock } = layoutOf(state);
    writeFileSync(imageLock, change(readFileSync(imageLock, 'utf8')));
    await publishSmall(mirror, '6.12.201');
    expect((await build()).out).toContain('Linux 6.12.201');
  });

  test('is what `image build --update` does where the sources are not', async () => {
    await build('--update');
    const before = own();
    rmSync(join(directory, 'src/image/recipe.ts'));
    await publishSmall(mirror, '6.12.202', later(-1_000));
    expect((await build('--update')).out).toContain('Linux 6.12.202');
    expect(own()).toBe(before);
  });

  // Behaviour 159: Unless `imageUpdates` is `off`, the daemon checks Debian's security archive for newer packages
  // once a day, but not on battery. With `auto`, it also makes a new image while no client is in the guest, and the
  // next start uses that image.
  test('--check says how much is newer in the security archive, and makes nothing', async () => {
    await build('--update');
    expect((await update('--check')).out).toMatch(/has no newer packages\.$/m);
    const fixed = [
      { name: 'openssh-server', version: '9:1.1' },
      { name: 'unrelated', version: '9' },
    ];
    await mirror.publishSuite(fixed, {
      suite: 'trixie-security',
      date: new Date(Date.now() - 1_000),
    });
    const before = await image('info');
    const found = await update('--check');
    expect(found.out).toContain(
      'has a newer version of 1 package. Build an image from them: linuxkit-builder image update',
    );
    expect((await image('info')).out).toBe(before.out);
    expect(existsSync(layoutOf(state).imageLock)).toBe(false);
    // It is known from then on, and until there is an image of it.
    const rebuilt = await build();
    expect(rebuilt.err).toContain(
      "Warning: The image is 0 days behind Debian's security updates; 1 package is newer there.",
    );
    expect((await update()).err).not.toContain('Warning');
    // What was looked at is not fetched again.
    mirror.requests.length = 0;
    await update('--check');
    expect(mirror.requests).toEqual(['dists/trixie-security/InRelease']);
  });

  test('--check is a failure where the archive shows old lists', async () => {
    await build('--update');
    const expired = { date: new Date(Date.now() - 1_000), validUntil: new Date(Date.now() - 500) };
    await mirror.publishSuite([], { suite: 'trixie-security', ...expired });
    expect((await update('--check')).failure?.kind).toBe('release-expired');
  });

  test('takes no list of packages that has expired, unless told to', async () => {
    await build('--update');
    await publishSmall(mirror, '6.12.202', {
      ...later(-2_000),
      validUntil: new Date(Date.now() - 1_000),
    });
    expect((await update()).failure?.kind).toBe('release-expired');
    expect((await update('--accept-expired-index')).out).toContain('Linux 6.12.202');
    const { manifest } = JSON.parse((await image('info', '--json')).out) as { manifest: object };
    expect(manifest).toHaveProperty(
      'suites',
      expect.arrayContaining([expect.objectContaining({ expired: expect.anything() as unknown })]),
    );
  });
});

// Behaviour 158: `image build`, `status` and `doctor` report an image that is more than 45 days behind Debian's
// security archive, or that was made without it. They also report how many packages were newer at the last check.
test('an old image is told of when it is made', async () => {
  const date = new Date(Date.now() - 46.5 * 24 * 60 * 60 * 1000);
  await publishSmall(mirror, '6.12.201', { date });
  const made = await build('--update', '--quiet');
  expect(made.err).toBe(
    "Warning: The image is 46 days behind Debian's security updates. Update it: linuxkit-builder image update\n",
  );
});

describe('image verify and image info', () => {
  test('name the image that the configuration names', async () => {
    mkdirSync(state);
    writeFileSync(join(state, 'config.json'), JSON.stringify({ bundle: '/nonexistent/linux' }));
    const { failure } = await image('verify');
    expect(failure?.kind).toBe('image-missing');
    expect(failure?.message).toContain('/nonexistent/linux-kernel');
  });

  test('say what is missing and how to make it', async () => {
    for (const command of ['verify', 'info'])
      expect((await image(command)).failure).toMatchObject({
        kind: 'image-missing',
        hint: saying('linuxkit-builder image build'),
      });
  });

  test("take somebody else's triple as far as it can be judged", async () => {
    const prefix = join(directory, 'linux');
    writeFileSync(`${prefix}-kernel`, fakeKernel('x'));
    writeFileSync(`${prefix}-initrd.img`, '070701');
    writeFileSync(`${prefix}-cmdline`, 'quiet');
    expect((await image('verify', prefix)).out).toContain(verifiedWords(prefix, false));
    expect((await image('info', prefix)).out).toContain(infoLines(prefix, undefined).join('\n'));
  });
});
