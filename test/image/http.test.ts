import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fetchText, readUrl, type HttpOptions } from '../../src/image/http/http.ts';
import { proxiesOf } from '../../src/image/http/proxy.ts';
import { reachOfAddress, reachOfHost } from '../../src/image/http/reach.ts';
import { Web } from '../../src/image/http/web.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { FakeMirror, fakeKey, type Responder } from '../fakes/fake-mirror.ts';

const key = await fakeKey();
let mirror: FakeMirror;
let clock: FakeClock;
let told: string[] = [];
beforeEach(async () => {
  mirror = await FakeMirror.start(key);
  clock = new FakeClock(Date.parse('2026-02-01T00:00:00Z'));
  told = [];
});
afterEach(() => mirror[Symbol.asyncDispose]());

const options = (more: Partial<HttpOptions> = {}): HttpOptions => ({
  clock,
  onLongWait: (sentence) => told.push(sentence),
  ...more,
});
const get = (path: string, more: Partial<HttpOptions> = {}) =>
  fetchText(`${mirror.url}/${path}`, 1000, options(more));
/** Until somebody waits for so long. */
const sleeping = async (ms: number) => {
  while (!clock.due.includes(ms)) await new Promise((done) => setImmediate(done));
};
/** Answers in turn; the last one stays. */
const inTurn = (path: string, ...responders: Responder[]) =>
  mirror.answers.set(path, (request, response) => {
    const [next, ...rest] = responders;
    if (rest.length > 0) responders = rest;
    next?.(request, response);
  });
const status =
  (code: number, headers: Record<string, string> = {}) =>
  (_: unknown, response: ServerResponse) =>
    void response.writeHead(code, headers).end('no');
const file = (_: unknown, response: ServerResponse) => void response.end('the file');
const refusedAs = (message: RegExp) => ({
  failure: { kind: 'mirror-refused', message: expect.stringMatching(message) as string },
});

// Behaviour 163: If a mirror is busy or breaks off a download, the program tries again, after the delay that the
// mirror asks for. A final refusal, or a web page in place of a file, is reported at once.
describe('a mirror that is busy', () => {
  test.each([408, 425, 429, 500, 502, 503, 504])('with %i is asked again', async (code) => {
    inTurn('file', status(code), file);
    const got = get('file');
    await sleeping(500);
    await clock.advance(500);
    expect(await got).toBe('the file');
    expect(told).toEqual([]);
  });

  test.each([
    ['in seconds', '7', 7_000],
    ['as a date', 'Sun, 01 Feb 2026 00:00:09 GMT', 9_000],
  ])('and says until when, %s, is left alone for so long', async (_, value, ms) => {
    inTurn('file', status(503, { 'retry-after': value }), file);
    const got = get('file');
    await sleeping(ms);
    await clock.advance(ms);
    expect(await got).toBe('the file');
    expect(told).toEqual([
      `${mirror.url}/file answered 503 and asked to wait ${ms / 1000} s. Retrying in ${ms / 1000} s.`,
    ]);
  });

  test.each([
    ['for longer than anybody waits', '3600', /asked to wait 3600 s/, 1],
    ['in words that nobody knows', 'later', /answered 429\./, 1],
  ])('%s is a failure that says so', async (_, value, message, requests) => {
    inTurn('file', status(429, { 'retry-after': value }));
    await expect(get('file', { retries: 0 })).rejects.toMatchObject(refusedAs(message));
    expect(mirror.requests).toHaveLength(requests);
  });

  test('for good is a failure in the end', async () => {
    inTurn('file', status(503));
    const failed = expect(get('file')).rejects.toMatchObject(refusedAs(/answered 503/));
    for (const ms of [500, 1_000, 2_000, 4_000, 8_000]) {
      await sleeping(ms);
      await clock.advance(ms);
    }
    await failed;
    expect(mirror.requests).toHaveLength(6);
  });

  test('is not waited for by somebody who gives up', async () => {
    inTurn('file', status(503, { 'retry-after': '60' }));
    const stop = new AbortController();
    const failed = expect(get('file', { signal: stop.signal })).rejects.toThrow('enough');
    await sleeping(60_000);
    stop.abort(new Error('enough'));
    await failed;
  });
});

test.each([401, 403, 451])('%i is final, and named', async (code) => {
  inTurn('file', status(code));
  await expect(get('file')).rejects.toMatchObject(
    refusedAs(new RegExp(`file answered ${code}\\.`)),
  );
  expect(mirror.requests).toHaveLength(1);
});

test.each(['<!DOCTYPE html><title>Login</title>', '\n <html>', '<?xml version="1.0"?>'])(
  'a page for people is named: %s',
  async (page) => {
    inTurn('file', (_, response) => void response.end(page));
    await expect(get('file')).rejects.toMatchObject(
      refusedAs(/is a web page instead of the requested file/),
    );
    expect(mirror.requests).toHaveLength(1);
  },
);

test('a text that is too long is not read to its end', async () => {
  inTurn('file', (_, response) => void response.end('x'.repeat(2000)));
  await expect(get('file')).rejects.toMatchObject(refusedAs(/is larger than such a file/));
});

// Behaviour 164: A mirror can neither keep the program busy forever nor fill the disk. It can redirect to this
// machine or to a private network only if it is there itself.
describe('a part', () => {
  const part = (range: string) => status(206, { 'content-range': range });

  test.each(['bytes 100-200/1000', 'bytes 0-99/1000', 'nonsense'])(
    'that nobody asked for is refused: %s',
    async (range) => {
      inTurn('file', part(range));
      await expect(get('file')).rejects.toMatchObject(refusedAs(/sent only a part/));
      expect(mirror.requests).toHaveLength(1);
    },
  );

  test('that begins elsewhere, again and again, is refused', async () => {
    inTurn('file', part('bytes 300000000000-300000000001/300000000002'));
    const read = readUrl(`${mirror.url}/file`, 5, options(), () => Promise.resolve());
    await expect(read).rejects.toMatchObject(refusedAs(/sent only a part/));
    expect(mirror.requests).toHaveLength(2);
  });
});

test('an answer that has come whole and is not yet read ends with an abort', async () => {
  const [begun, sent] = [later(), later()];
  inTurn('file', (_, response) => {
    response.on('finish', sent.resolve);
    response.writeHead(200, { 'content-length': 3000 });
    response.write(Buffer.alloc(1000));
    void begun.promise.then(() => response.end(Buffer.alloc(2000)));
  });
  const stop = new AbortController();
  const read = readUrl(
    `${mirror.url}/file`,
    0,
    options({ signal: stop.signal }),
    async (answer) => {
      for await (const chunk of answer.body) {
        expect(chunk.length).toBeGreaterThan(0);
        begun.resolve();
        await sent.promise;
        // What the server has sent is here some turns later.
        for (let turn = 0; turn < 50; turn++) await new Promise((done) => setImmediate(done));
        stop.abort(new Error('enough'));
      }
    },
  );
  await expect(read).rejects.toThrow('enough');
});

describe('a redirect', () => {
  const to = (location: string, code = 302) => status(code, { location });

  test.each([301, 302, 303, 307, 308])('%i is followed, with the offset', async (code) => {
    inTurn('file', to(`${mirror.url}/there`, code));
    let range: string | undefined;
    mirror.answers.set('there', (request, response) => {
      range = request.headers.range;
      response.writeHead(206, { 'content-range': 'bytes 5-7/8' }).end('ile');
    });
    await readUrl(`${mirror.url}/file`, 5, options(), ({ from }) => {
      expect(from).toBe(5);
      return Promise.resolve();
    });
    expect(range).toBe('bytes=5-');
  });

  test('may be relative, and to another name of the same place', async () => {
    inTurn('file', to('../debian/next'));
    inTurn('next', to(mirror.url.replace('127.0.0.1', 'localhost') + '/there'));
    mirror.files.set('there', Buffer.from('the file'));
    expect(await get('file')).toBe('the file');
  });

  test('without end is a failure', async () => {
    inTurn('file', to(`${mirror.url}/file`));
    await expect(get('file')).rejects.toMatchObject(refusedAs(/more than 20 times/));
    expect(mirror.requests).toHaveLength(21);
  });

  test.each(['file:///etc/passwd', 'ftp://m.test/x', 'http://'])(
    'to %s is refused',
    async (where) => {
      inTurn('file', to(where));
      await expect(get('file')).rejects.toMatchObject(refusedAs(/not http or https/));
    },
  );

  describe('of a mirror that is elsewhere', () => {
    /** A mirror of a public name, reached through a proxy: the fake one, which takes whole addresses as well. */
    const viaProxy = (env: Record<string, string> = {}, found = '127.0.0.1') =>
      new Web({
        proxyFor: proxiesOf({ http_proxy: mirror.url, ...env }),
        resolve: (_, _options, done) => done(null, [{ address: found, family: 4 }]),
      });
    const getAbroad = (web: Web) => fetchText('http://public.test/file', 1000, options({ web }));

    test.each(['127.0.0.1', 'localhost', '2130706433', '[::1]', '10.1.2.3', '169.254.169.254'])(
      'to %s is refused, and nothing is asked there',
      async (host) => {
        const web = viaProxy();
        inTurn('http://public.test/file', to(`http://${host}:1/admin?delete=all`));
        await expect(getAbroad(web)).rejects.toMatchObject(refusedAs(/private network or on this/));
        expect(mirror.requests).toEqual(['http://public.test/file']);
      },
    );

    test.each(['127.0.0.1', '192.168.1.1'])('to a name that is %s is refused', async (address) => {
      inTurn('http://public.test/file', to('http://inside.test/admin'));
      const web = viaProxy({ no_proxy: 'inside.test' }, address);
      await expect(getAbroad(web)).rejects.toMatchObject(refusedAs(/private network or on this/));
      expect(mirror.requests).toEqual(['http://public.test/file']);
    });

    test.each([
      ['both here and elsewhere', [['127.0.0.1', '203.0.113.7']]],
      ['here at first, and then elsewhere too', [['127.0.0.1'], ['203.0.113.7', '127.0.0.1']]],
    ])('that says to be %s sends us nowhere here', async (_, answers) => {
      const left = [...answers];
      const web = new Web({
        resolve: (_name, _options, done) => {
          const found = left.length > 1 ? left.shift() : left[0];
          done(
            null,
            (found ?? []).map((address) => ({ address, family: 4 })),
          );
        },
      });
      const ask = () =>
        fetchText(`${mirror.url.replace('127.0.0.1', 'mirror.test')}/file`, 1000, options({ web }));
      // A connection that stays is asked again without a look for its name.
      inTurn('file', (_request, response) => {
        response.writeHead(302, {
          location: `${mirror.url}/admin`,
          connection: 'close',
        });
        response.end();
      });
      for (const each of answers.slice(1)) await ask().catch(() => each);
      mirror.requests.length = 0;
      await expect(ask()).rejects.toMatchObject(refusedAs(/private network or on this/));
      expect(mirror.requests.join()).not.toContain('admin');
    });

    test('to another public host works', async () => {
      inTurn('http://public.test/file', to('http://other.test/file'));
      inTurn('http://other.test/file', file);
      expect(await getAbroad(viaProxy())).toBe('the file');
    });

    test('shows and sends no login of its choice', async () => {
      inTurn('http://public.test/file', to('http://u:s3cret@other.test/file'));
      inTurn('http://other.test/file', status(403));
      const failure = await getAbroad(viaProxy()).catch(String);
      expect(failure).toContain('answered 403');
      expect(failure).not.toContain('s3cret');
    });
  });
});

test.each([
  ['127.0.0.1', 2],
  ['127.9.9.9', 2],
  ['0.0.0.0', 2],
  ['::1', 2],
  ['[::]', 2],
  ['::ffff:127.0.0.1', 2],
  ['10.0.0.1', 1],
  ['172.31.0.1', 1],
  ['192.168.0.1', 1],
  ['169.254.169.254', 1],
  ['100.64.0.1', 1],
  ['fd00::1', 1],
  ['fe80::1%eth0', 1],
  ['::ffff:10.0.0.1', 1],
  ['255.255.255.255', 1],
  ['151.101.2.132', 0],
  ['172.32.0.1', 0],
  ['2a04:4e42::644', 0],
  ['64:ff9b::9765:284', 0],
])('%s has the reach %i', (address, reach) => expect(reachOfAddress(address)).toBe(reach));

test.each([
  ['localhost', 2],
  ['a.localhost.', 2],
  ['127.0.0.1', 2],
  ['[fd00::1]', 1],
  ['mirror.test', undefined],
  ['localhost.test', undefined],
])('the host %s says %j', (host, reach) => expect(reachOfHost(host)).toBe(reach));

function later() {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
