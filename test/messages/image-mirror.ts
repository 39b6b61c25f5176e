/** What can be wrong with a mirror, a proxy, a download and what Debian has signed. */
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import * as openpgp from 'openpgp';
import { withoutSecurity } from '../../src/image/debian/indexes.ts';
import { expired, listName, noIndex, notThat, older } from '../../src/image/debian/release.ts';
import { signedText } from '../../src/image/debian/signature.ts';
import { cannotKeep, tooLong, truncated, wrongHash } from '../../src/image/http/cached-file.ts';
import { fetchText, onlyAPart } from '../../src/image/http/http.ts';
import { proxyRefused, proxyUnreachable } from '../../src/image/http/proxy-tunnel.ts';
import { proxiesOf } from '../../src/image/http/proxy.ts';
import { addressSpaceLimited } from '../../src/image/http/wasm-room.ts';
import { withRetries } from '../../src/image/http/retry.ts';
import { chooseMirror } from '../../src/image/mirror/choose-mirror.ts';
import {
  answered,
  isPage,
  refused,
  sentTooNear,
  stalled,
  unreachable,
} from '../../src/image/mirror/mirror-failure.ts';
import { checkMirror } from '../../src/image/mirror/mirror.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { clearSign, fakeKey } from '../fakes/fake-mirror.ts';
import { directoryShownAs, shownAs, type States } from './tell.ts';

const tree = directoryShownAs('/mirror');
const url = 'https://mirror.example/debian/dists/trixie/InRelease';
const file = { name: 'nix-bin', url, sha256: 'aaaa', size: 2048 };
const codeOf = (code: string) => Object.assign(new Error(code), { code });
const ofTls = (reason: string) =>
  Object.assign(new Error(`0A00010B:SSL routines::${reason}`), { code: 'ERR_SSL_X', reason });
const now = Date.parse('2026-01-02T03:04:05Z');
const release = { codename: 'bookworm', date: new Date(now), validUntil: undefined };
const signed = { ...release, files: new Map() };

/** What a text says that this server gives. */
async function fetched(answer: (response: ServerResponse) => void): Promise<unknown> {
  const server = createServer((_, response) => answer(response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const address = shownAs(`http://127.0.0.1:${port}`, 'http://mirror.example');
  try {
    return await fetchText(`${address}/file`, 10, { clock: new FakeClock(), retries: 0 });
  } finally {
    server.close();
    server.closeAllConnections();
  }
}
const redirect = (to: string) => (response: ServerResponse) =>
  void response.writeHead(302, { location: to }).end();

export const mirrors: States = {
  'it does not have the file': () => answered(url, 404),
  'it refuses': () => answered(url, 403),
  'it is busy': () => answered(url, 503),
  'it is busy and names a time': () => answered(url, 429, 4_500),
  'it answers with a page of the web': () => isPage(url),
  'it sends a part of the file': () => refused(url, onlyAPart),
  'it sends too much': () => fetched((response) => response.end('x'.repeat(1000))),
  'it redirects for ever': () => fetched(redirect('/file')),
  'it redirects to another kind of address': () => fetched(redirect('ftp://mirror.example/')),
  'it redirects into a private network': () => sentTooNear(url, 'http://192.168.1.1/login'),
  'it stalls': () => stalled(url, 30_000),
  'it is away': () => unreachable(url, codeOf('ECONNREFUSED'), now),
  'its certificate has expired': () => unreachable(url, codeOf('CERT_HAS_EXPIRED'), now),
  'its certificate is not valid yet': () => unreachable(url, codeOf('CERT_NOT_YET_VALID'), now),
  'its certificate is another host’s': () =>
    unreachable(url, codeOf('ERR_TLS_CERT_ALTNAME_INVALID'), now),
  'its name is unknown': () => unreachable(url, codeOf('ENOTFOUND'), now),
  'it does not speak TLS': () => unreachable(url, ofTls('wrong version number'), now),
  'it speaks another TLS': () => unreachable(url, ofTls('tlsv1 alert protocol version'), now),
  'its certificate was taken back': () =>
    unreachable(
      url,
      Object.assign(new Error('certificate revoked'), { code: 'CERT_REVOKED' }),
      now,
    ),
  'its certificate is of an unknown issuer': () =>
    unreachable(url, codeOf('DEPTH_ZERO_SELF_SIGNED_CERT'), now),
  'this process may reserve too little memory': () => addressSpaceLimited,
  'it is asked again': async () => {
    const clock = new FakeClock();
    let said = '';
    const onLongWait = (sentence: string) => (said = sentence);
    const failed = withRetries({ clock, retries: 1, retryMs: 4_000, onLongWait }, () =>
      Promise.reject(answered(url, 503)),
    ).catch(() => undefined);
    await clock.advance(4_000);
    await failed;
    return said;
  },
  'its address is none': () => checkMirror('ftp://mirror.example/debian'),
  'its address has a login': () => checkMirror('https://me:secret@mirror.example/debian'),
};

let choices = 0;
/** Why a mirror is taken; `sources`: of apt; `serves`: the mirrors that have what is needed. */
async function because(sources: string, serves: RegExp, chosen?: string) {
  const etc = join(tree, `apt-${++choices}`);
  mkdirSync(etc);
  writeFileSync(join(etc, 'sources.list'), sources);
  const ask = (mirror: string) =>
    serves.test(mirror) ? Promise.resolve() : Promise.reject(answered(mirror, 404));
  return (await chooseMirror(chosen, { ask, etc })).because;
}
const apt = 'deb https://mirror.example/debian trixie main\n';

export const choice: States = {
  'it was named': () => because('', /./, 'https://mirror.example/debian'),
  'it is apt’s': () => because(apt, /./),
  'apt has several': () =>
    because(
      `${apt}deb https://me:x@closed.example/debian trixie main\ndeb ftp://old.example/debian trixie main\n`,
      /./,
    ),
  'apt has none': () => because('', /./),
  'apt’s does not serve': () => because(apt, /ftp/),
};

const proxy = proxiesOf({ https_proxy: 'http://proxy.example:3128' })(new URL(url));
const proxyIn = (value: string) => () => proxiesOf({ https_proxy: value })(new URL(url));
export const proxies: States = {
  'it wants a login': () => proxy && proxyRefused(proxy, 407),
  'it refuses': () => proxy && proxyRefused(proxy, 403),
  'it is away': () => proxy && proxyUnreachable(proxy, codeOf('ECONNREFUSED')),
  'its address is none': proxyIn('http://'),
  'its address is of another kind': proxyIn('socks5://proxy.example'),
  'its address is of another kind, in apt’s settings': () =>
    proxiesOf({}, new Map([['acquire::https::proxy', 'socks5h://proxy.example']]))(new URL(url)),
};

export const downloads: States = {
  'it is another file': () => wrongHash(file, 'bbbb'),
  'it ends early': () => truncated(file, 1024),
  'it does not end': () => tooLong(file),
  'it cannot be written': () => cannotKeep('/cache/aaaa', codeOf('ENOSPC')),
};

const reasonFor = (text: string, keys: readonly string[]) =>
  signedText(text, keys, new Date('2026-02-01T00:00:00Z'));
export const signatures: States = {
  'the package list is of another suite': () => notThat(url, 'trixie', signed),
  'the package list is none': () => notThat(url, 'trixie', undefined),
  'the package list is older than the lock': () =>
    older(url, new Date('2026-01-01T00:00:00Z'), new Date(now)),
  'the package list is out of date': () => expired(url, new Date('2026-01-01T00:00:00Z')),
  'the package list does not have the architecture': () =>
    noIndex('trixie', 'main/binary-arm64/Packages.xz'),
  'the package list is cut off': () => truncated({ ...file, name: listName('arm64') }, 1024),
  'the security archive cannot be had': () => withoutSecurity(answered(url, 404).failure),
  'it is not signed': () => reasonFor('Origin: Debian\n', []),
  'its key is revoked': async () => {
    const key = await fakeKey();
    const { publicKey } = await openpgp.revokeKey({
      key: key.privateKey,
      reasonForRevocation: { flag: openpgp.enums.reasonForRevocation.keyRetired },
      date: new Date('2026-01-05T00:00:00Z'),
      format: 'object',
    });
    return (await reasonOf('Origin: Debian\n', key, publicKey.armor())).replace(
      /[0-9a-f]{16}/g,
      'KEY',
    );
  },
  'its key has expired': async () => {
    const key = await fakeKey({ keyExpirationTime: 3 * 24 * 3600 });
    return (await reasonOf('Origin: Debian\n', key, key.armored)).replace(/[0-9a-f]{16}/g, 'KEY');
  },
};

async function reasonOf(text: string, key: Awaited<ReturnType<typeof fakeKey>>, armored: string) {
  return reasonFor(await clearSign(text, key), [armored]).then(
    () => '',
    (error: unknown) => (error as Error).message,
  );
}
