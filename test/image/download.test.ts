import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { spawn } from 'node:child_process';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  downloadAll,
  type DownloadOptions,
  type DownloadProgress,
} from '../../src/image/http/download.ts';
import { cachedPath, type FileToFetch } from '../../src/image/http/cached-file.ts';
import { sizeIfThere } from '../../src/system/files/files.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { FakeMirror, fakeKey, sendRange, sha256 } from '../fakes/fake-mirror.ts';
import { makeProgram, outcome } from '../rig/other-process.ts';
import { removeTree } from '../remove-tree.ts';

const key = await fakeKey();
const file = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7 + i / 256) & 0xff));
let mirror: FakeMirror;
let directory = '';
let clock: FakeClock;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'download-'));
  mirror = await FakeMirror.start(key);
  mirror.files.set('file', file);
  clock = new FakeClock();
});
afterEach(async () => {
  await mirror[Symbol.asyncDispose]();
  removeTree(directory);
});

const wanted = (path = 'file', data = file): FileToFetch => ({
  name: path,
  url: `${mirror.url}/${path}`,
  sha256: sha256(data),
  size: data.length,
});
const get = (all: readonly FileToFetch[] = [wanted()], options: Partial<DownloadOptions> = {}) =>
  downloadAll(all, { directory, clock, retries: 0, ...options });
const believed = (data = file) => {
  const path = cachedPath(directory, sha256(data));
  return existsSync(path) && readFileSync(path).equals(data);
};
/** Without the lock's own. */
const filesThere = () => readdirSync(directory).filter((name) => !name.startsWith('downloading'));
const partial = () => `${cachedPath(directory, sha256(file))}.partial`;
const failsAs = (kind: string) => ({ failure: { kind } });

/** Lets the world move until something is so. */
const until = async (isSo: () => boolean) => {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
};

/** Sends the head of a file as if it were all, and breaks off when some of that has arrived. */
const breakOffAfter = (bytes: number) => (_: unknown, response: ServerResponse) => {
  response.writeHead(200, { 'content-length': file.length });
  response.write(file.subarray(0, bytes));
  void until(() => (sizeIfThere(partial()) ?? 0) > 0).then(() => response.destroy());
};

test('files arrive under their hashes, several at a time, and are not fetched again', async () => {
  const all = Array.from({ length: 12 }, (_, n) => {
    const data = Buffer.from(`file ${n}`);
    mirror.files.set(`f${n}`, data);
    return wanted(`f${n}`, data);
  });
  await get(all);
  expect(filesThere().sort()).toEqual(all.map((each) => each.sha256).sort());
  await get(all);
  expect(mirror.requests).toHaveLength(12);
});

test('as many run at a time as are allowed, and no more', async () => {
  const held: (() => void)[] = [];
  let most = 0;
  const all = Array.from({ length: 9 }, (_, n) => {
    const data = Buffer.from(`file ${n}`);
    // Nobody gets an answer before three have asked.
    mirror.answers.set(`f${n}`, (_request, response) => {
      most = Math.max(
        most,
        held.push(() => response.end(data)),
      );
      if (held.length === 3) for (const release of held.splice(0)) release();
    });
    return wanted(`f${n}`, data);
  });
  await get(all, { parallel: 3 });
  expect(most).toBe(3);
});

test('progress is told in bytes, with its rate and the name', async () => {
  const seen: DownloadProgress[] = [];
  await get([wanted()], { onProgress: (now) => seen.push(now) });
  expect(seen.at(-1)).toMatchObject({ name: 'file', bytes: file.length, totalBytes: file.length });
  expect(seen.at(-1)?.bytesPerSecond).toBeGreaterThan(0);
  expect(seen.map(({ bytes }) => bytes)).toEqual(
    seen.map(({ bytes }) => bytes).sort((a, b) => a - b),
  );
});

describe('a download that breaks off', () => {
  test('is named, is not believed, and goes on from there the next time', async () => {
    mirror.answers.set('file', breakOffAfter(100_000));
    await expect(get()).rejects.toMatchObject({ failure: { kind: 'mirror-unreachable' } });
    expect(believed()).toBe(false);
    const had = readFileSync(partial()).length;
    expect(had).toBeGreaterThan(0);

    const ranges: (string | undefined)[] = [];
    mirror.answers.set('file', (request, response) => {
      ranges.push(request.headers.range);
      sendRange(request, response, file);
    });
    await get();
    expect(ranges).toEqual([`bytes=${had}-`]);
    expect(believed()).toBe(true);
    expect(filesThere()).toHaveLength(1);
  });

  test('is taken up again in the same run, after a pause', async () => {
    mirror.answers.set('file', (request, response) => {
      mirror.answers.delete('file');
      breakOffAfter(100_000)(request, response);
    });
    const done = get([wanted()], { retries: 3, retryMs: 500 });
    await until(() => clock.due.includes(500));
    await clock.advance(500);
    await done;
    expect(believed()).toBe(true);
    expect(mirror.requests).toHaveLength(2);
  });

  test('ends short without an error: truncated', async () => {
    mirror.answers.set('file', (_, response) => response.end(file.subarray(0, 1000)));
    await expect(get()).rejects.toMatchObject(failsAs('download-truncated'));
    expect(believed()).toBe(false);
    mirror.answers.clear();
    await get();
    expect(believed()).toBe(true);
  });

  test.each([
    ['does not continue', (response: ServerResponse) => response.end(file)],
    [
      'continues elsewhere',
      (response: ServerResponse) =>
        response.writeHead(206, { 'content-range': 'bytes 5-9/10' }).end('wrong'),
    ],
    ['knows nothing to continue', (response: ServerResponse) => response.writeHead(416).end()],
  ])('begins anew when the server %s', async (_, reply) => {
    writeFileSync(partial(), file.subarray(0, 1000));
    mirror.answers.set('file', (request, response) => {
      if (request.headers.range === undefined) sendRange(request, response, file);
      else reply(response);
    });
    await get();
    expect(believed()).toBe(true);
  });

  test.each([
    ['wrong bytes', Buffer.alloc(1000)],
    ['too many bytes', Buffer.concat([file, file])],
    ['as many, but wrong bytes', Buffer.alloc(file.length)],
    ['everything already', file],
  ])('is mended when the part has %s', async (_, part) => {
    writeFileSync(partial(), part);
    await get();
    expect(believed()).toBe(true);
    expect(filesThere()).toHaveLength(1);
  });

  // Behaviour 171: A download is never written through a link that somebody has put in its place.
  test('is begun anew where somebody has put a link in its place', async () => {
    const theirs = join(directory, 'downloading-theirs');
    writeFileSync(theirs, 'precious');
    symlinkSync(theirs, partial());
    await get();
    expect(readFileSync(theirs, 'utf8')).toBe('precious');
    expect(believed()).toBe(true);
    expect(lstatSync(cachedPath(directory, sha256(file))).isFile()).toBe(true);
  });
});

describe('is a named failure, and nothing is left that is believed:', () => {
  test.each([
    ['other bytes', Buffer.alloc(file.length, 1), 'download-wrong-hash'],
    ['more bytes', Buffer.concat([file, Buffer.from('x')]), 'download-too-long'],
  ])('%s', async (_, sent, kind) => {
    mirror.answers.set('file', (_request, response) => response.end(sent));
    await expect(get()).rejects.toMatchObject(failsAs(kind));
    expect(believed()).toBe(false);
  });

  test.each([
    [404, 'not-on-mirror'],
    [410, 'not-on-mirror'],
    [403, 'mirror-refused'],
    [500, 'mirror-refused'],
  ])('status %i', async (status, kind) => {
    mirror.answers.set('file', (_, response) => response.writeHead(status).end('no'));
    await expect(get()).rejects.toMatchObject(failsAs(kind));
    expect(believed()).toBe(false);
  });

  test('nobody there', async () => {
    const gone = wanted();
    await mirror[Symbol.asyncDispose]();
    const failure = {
      kind: 'mirror-unreachable',
      message: expect.stringMatching(/connection refused/) as string,
    };
    await expect(get([gone])).rejects.toMatchObject({ failure });
  });

  test('silence for 30 s', async () => {
    mirror.answers.set('file', (_, response) => {
      response.writeHead(200, { 'content-length': file.length });
      response.write(file.subarray(0, 1000));
    });
    const done = get();
    const failed = expect(done).rejects.toMatchObject(failsAs('download-stalled'));
    await until(() => existsSync(partial()) && readFileSync(partial()).length === 1000);
    await clock.advance(29_000);
    expect(believed()).toBe(false);
    await clock.advance(1_001);
    await failed;
  });

  test('silence before the first byte', async () => {
    mirror.answers.set('file', () => undefined);
    const failed = expect(get()).rejects.toMatchObject(failsAs('download-stalled'));
    await clock.waiting();
    await until(() => mirror.requests.length > 0);
    await clock.advance(30_000);
    await failed;
  });

  test('an abort in the middle', async () => {
    const stop = new AbortController();
    const enough = (now: DownloadProgress) => now.bytes > 0 && stop.abort(new Error('enough'));
    mirror.answers.set('file', (_, response) => {
      response.writeHead(200, { 'content-length': file.length });
      response.write(file.subarray(0, 1000));
    });
    const all = [wanted()];
    await expect(get(all, { signal: stop.signal, onProgress: enough })).rejects.toThrow('enough');
    expect(believed()).toBe(false);
    await expect(get(all, { signal: stop.signal })).rejects.toThrow('enough');
  });

  test('a directory that cannot be made', async () => {
    writeFileSync(join(directory, 'file'), '');
    const inside = join(directory, 'file', 'inside');
    await expect(get([wanted()], { directory: inside })).rejects.toMatchObject(
      failsAs('cannot-write'),
    );
  });
});

test('one failure ends the others, and is the one that is told', async () => {
  mirror.answers.set('slow', () => undefined);
  const slow = Buffer.from('slow');
  const missing = Buffer.from('missing');
  await expect(get([wanted('slow', slow), wanted('missing', missing)])).rejects.toMatchObject(
    failsAs('not-on-mirror'),
  );
});

test('a file that was changed on the disk is fetched again', async () => {
  await get();
  writeFileSync(cachedPath(directory, sha256(file)), Buffer.alloc(file.length));
  await get();
  expect(believed()).toBe(true);
  expect(mirror.requests).toHaveLength(2);
});

test('two at once for one directory do not disturb each other', async () => {
  let waited = 0;
  const first = get();
  const second = get([wanted()], { onWaiting: () => (waited = 1) });
  await first;
  await until(() => waited > 0 && clock.pending > 0);
  await clock.advance(200);
  await second;
  expect(believed()).toBe(true);
  expect(mirror.requests).toHaveLength(1);
});

const limited = `
  import { downloadAll } from '../../src/image/http/download.ts';
  import { failureOf } from '../../src/system/failure.ts';
  import { systemClock } from '../../src/system/time/clock.ts';
  import '../../src/system/process/signals.ts';
  const [wanted, directory] = process.argv.slice(2);
  downloadAll([JSON.parse(wanted)], { directory, clock: systemClock, retries: 0 })
    .catch((error) => console.log(failureOf(error).kind));`;

test('a last piece that goes in only in part is no damaged download', async () => {
  const program = await makeProgram(directory, limited);
  // Of 512 bytes: less than the file by a few.
  const blocks = Math.floor(file.length / 512);
  const run = `ulimit -f ${blocks}; exec "$0" "$@"`;
  const argv = ['-c', run, process.execPath, program, JSON.stringify(wanted()), directory];
  expect(await outcome(spawn('sh', argv))).toMatchObject({ said: 'cannot-write\n' });
});
