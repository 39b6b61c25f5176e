import { readFileSync, mkdtempSync, writeFileSync, cpSync } from 'node:fs';
import { spawn } from 'node:child_process';
import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { createServer as createPlain } from 'node:http';
import { createServer, type Server } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fetchText } from '../../src/image/http/http.ts';
import { proxiesOf } from '../../src/image/http/proxy.ts';
import { trustedRoots } from '../../src/image/http/roots.ts';
import { Web } from '../../src/image/http/web.ts';
import { needs } from '../needs.ts';
import { FakeClock, settle } from '../fakes/fake-clock.ts';
import { FakeMirror, fakeKey } from '../fakes/fake-mirror.ts';
import { FakeProxy } from '../fakes/fake-proxy.ts';
import { removeTree } from '../remove-tree.ts';

const folder = join(import.meta.dirname, 'certificates');
const authority = join(folder, 'authority.pem');
const of = (name: string) => readFileSync(join(folder, name), 'utf8');
const key = await fakeKey();
const clock = new FakeClock(Date.parse('2026-02-01T10:20:30Z'));
let directory = '';
const running: AsyncDisposable[] = [];
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'web-'))));
afterEach(async () => {
  for (const each of running.splice(0)) await each[Symbol.asyncDispose]();
  removeTree(directory);
});

/** An https mirror on loopback with one of the certificates. */
async function serve(certificate: string): Promise<number> {
  const server: Server = createServer({ cert: of(`${certificate}.pem`), key: of('server.key') });
  server.on('request', (_, response) => response.end('the file'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  running.push({
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
  return (server.address() as AddressInfo).port;
}
const get = (url: string, env: Record<string, string>) =>
  fetchText(url, 1000, {
    clock,
    retries: 0,
    web: new Web({ proxyFor: proxiesOf(env), roots: () => trustedRoots(env) }),
  });
const failsAs = (kind: string, message: RegExp) => ({
  failure: { kind, message: expect.stringMatching(message) as string },
});

// Behaviour 169: Proxies that are set in the environment or in apt's configuration are used, with their exceptions.
// If a proxy is wrong, the message names it.
// Behaviour 170: An https mirror's certificate is checked against the system's certificate authorities and against
// those that the environment names. If a certificate is wrong, the message names it.
describe("an https mirror of one's own", () => {
  test.each(['SSL_CERT_FILE', 'NIX_SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS'])(
    'is known by %s',
    async (name) => {
      const port = await serve('good');
      expect(await get(`https://localhost:${port}/x`, { [name]: authority })).toBe('the file');
    },
  );

  test('is known by SSL_CERT_DIR, which may be several', async () => {
    cpSync(authority, join(directory, 'ours.crt'));
    writeFileSync(join(directory, 'README'), 'no certificate');
    const port = await serve('good');
    const env = { SSL_CERT_DIR: `/nowhere:${directory}` };
    expect(await get(`https://127.0.0.1:${port}/x`, env)).toBe('the file');
  });

  test.each([
    ['good', {}, /localhost:\d+ was issued by an authority that this machine does not trust/],
    [
      'expired',
      { SSL_CERT_FILE: authority },
      /has expired, or .* \(2026-02-01 10:20 UTC\) is wrong/,
    ],
    ['early', { SSL_CERT_FILE: authority }, /is not valid yet, so this machine's clock/],
    ['other', { SSL_CERT_FILE: authority }, /is for another host/],
    ['good', { SSL_CERT_FILE: '/nowhere' }, /authority that this machine does not trust/],
  ])('%s with %j is refused by name', async (certificate, env, message) => {
    const port = await serve(certificate);
    await expect(
      get(`https://localhost:${port}/x`, env as Record<string, string>),
    ).rejects.toMatchObject(failsAs('mirror-unreachable', message));
  });
});

test('a server that speaks no TLS, and a name that there is not, are named', async () => {
  const mirror = await FakeMirror.start(key);
  running.push(mirror);
  await expect(get(`${mirror.url.replace('http:', 'https:')}/x`, {})).rejects.toMatchObject(
    failsAs('mirror-unreachable', /does not use TLS/),
  );
  // What the resolver says of it differs: unknown, or no server that answers.
  await expect(get('http://m.invalid/x', {})).rejects.toMatchObject(
    failsAs(
      'mirror-unreachable',
      /m\.invalid\/x: (unknown host|the name server does not respond)\./,
    ),
  );
});

test('on macOS the keychains are asked, and what is not there is nothing', async () => {
  const roots = await trustedRoots({ SSL_CERT_FILE: authority }, 'darwin');
  expect(roots).toContain(of('authority.pem').trim());
});

/** An http server at 127.0.0.1 that takes no connection, as one whose queue is full takes none, until it is let go. */
async function slowServer() {
  const code = `require('http').createServer((_, to) => to.end('the file'))
    .listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () { console.log(this.address().port) })`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  child.kill('SIGSTOP');
  const address = { host: '127.0.0.1', port: Number(port) };
  const queue = [connect(address), connect(address)];
  await Promise.all(
    queue.map((each) =>
      once(
        each.on('error', () => undefined),
        'connect',
      ),
    ),
  );
  running.push({
    async [Symbol.asyncDispose]() {
      queue.forEach((each) => each.destroy());
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  });
  return { port: Number(port), letGo: () => child.kill('SIGCONT') };
}

// Behaviour 165: Of a mirror's addresses, the one that answers first is used, even if it is slow and the others do
// not answer at all.
describe('a mirror with several addresses', needs('Linux'), () => {
  const asked = (port: number) => {
    const time = new FakeClock();
    const resolve = (_: string, __: object, done: (error: null, all: LookupAddress[]) => void) =>
      done(
        null,
        ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 })),
      );
    const options = { clock: time, retries: 0, web: new Web({ resolve, clock: time }) };
    return { time, came: fetchText(`http://m.invalid:${port}/x`, 1000, options) };
  };

  test('of which the first is slow, and the other refuses', async () => {
    const { port, letGo } = await slowServer();
    const { time, came } = asked(port);
    await time.advance(250);
    letGo();
    expect(await came).toBe('the file');
  });

  test('of which the first never answers', async () => {
    const { port } = await slowServer();
    const other = createPlain((_, response) => response.end('of the other'));
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.2', resolve));
    running.push({
      async [Symbol.asyncDispose]() {
        other.closeAllConnections();
        await new Promise((resolve) => other.close(resolve));
      },
    });
    const { time, came } = asked(port);
    await time.advance(249);
    expect(await Promise.race([came, settle().then(() => 'nothing yet')])).toBe('nothing yet');
    await time.advance(1);
    expect(await came).toBe('of the other');
  });

  test('of which none answers is named', async () => {
    const { time, came } = asked(1);
    const failed = expect(came).rejects.toMatchObject(
      failsAs('mirror-unreachable', /m\.invalid:1\/x: connection refused\./),
    );
    await time.advance(250);
    await failed;
  });
});

describe('through a proxy', () => {
  const proxyTo = async (port: number) => {
    const proxy = await FakeProxy.to(port);
    running.push(proxy);
    return proxy;
  };

  test('http is asked for by its whole address', async () => {
    const mirror = await FakeMirror.start(key);
    running.push(mirror);
    mirror.files.set('x', Buffer.from('the file'));
    const proxy = await proxyTo(Number(new URL(mirror.url).port));
    const env = { http_proxy: `http://${proxy.address}` };
    expect(await get('http://only-by-proxy.invalid/debian/x', env)).toBe('the file');
    expect(proxy.asked).toEqual(['GET http://only-by-proxy.invalid/debian/x']);
    const none = get('http://only-by-proxy.invalid/debian/x', { ...env, no_proxy: '.invalid' });
    await expect(none).rejects.toMatchObject(failsAs('mirror-unreachable', /only-by-proxy/));
    expect(proxy.asked).toHaveLength(1);
  });

  test('https is tunnelled, and its certificate looked at', async () => {
    const proxy = await proxyTo(await serve('good'));
    const env = { https_proxy: proxy.address, SSL_CERT_FILE: authority };
    expect(await get('https://localhost/x', env)).toBe('the file');
    expect(proxy.asked).toEqual(['CONNECT localhost:443']);
    await expect(get('https://other.test/x', env)).rejects.toMatchObject(
      failsAs('mirror-unreachable', /The certificate of other\.test is for another host/),
    );
  });

  test('with a login, which is sent to the proxy alone and shown nowhere', async () => {
    const port = await serve('good');
    const proxy = await proxyTo(port);
    proxy.login = `Basic ${Buffer.from('u:s3cret').toString('base64')}`;
    const env = { SSL_CERT_FILE: authority, https_proxy: `http://u:s3cret@${proxy.address}` };
    expect(await get('https://localhost/x', env)).toBe('the file');
    proxy.login = 'another';
    for (const url of ['https://localhost/x', 'http://m.invalid/x']) {
      const failed = get(url, { ...env, http_proxy: env.https_proxy });
      await expect(failed).rejects.toMatchObject(
        failsAs(
          'proxy-refused',
          /proxy http:\/\/127\.0\.0\.1:\d+ \(from https?_proxy\) requires a login/,
        ),
      );
      await expect(failed).rejects.not.toThrow(/s3cret|czNjcmV0/);
    }
  });

  test('that opens no tunnel is named', async () => {
    const proxy = await proxyTo(1);
    proxy.refusal = 403;
    await expect(get('https://localhost/x', { https_proxy: proxy.address })).rejects.toMatchObject(
      failsAs('proxy-refused', /answered 403 to CONNECT/),
    );
  });

  test('that is not there is named', async () => {
    const proxy = await FakeProxy.to(1);
    const { address } = proxy;
    await proxy[Symbol.asyncDispose]();
    for (const scheme of ['http', 'https'])
      await expect(
        get(`${scheme}://m.invalid/x`, { [`${scheme}_proxy`]: `http://${address}` }),
      ).rejects.toMatchObject(
        failsAs('proxy-unreachable', /Cannot reach the proxy .*_proxy\): connection refused/),
      );
  });
});
