import { describe, expect, test } from 'vitest';
import { parseAptSettings } from '../../src/image/mirror/apt-settings.ts';
import { proxiesOf } from '../../src/image/http/proxy.ts';

const url = new URL('http://m.test/debian');
const secure = new URL('https://m.test/debian');
const through = (env: Record<string, string>, apt = '', to = url) => {
  const proxy = proxiesOf(env, parseAptSettings(apt))(to);
  return proxy === undefined ? 'straight' : `${proxy.url.host} ${proxy.from}`;
};

// Behaviour 169: Proxies that are set in the environment or in apt's configuration are used, with their exceptions.
// If a proxy is wrong, the message names it.
// Behaviour 170: An https mirror's certificate is checked against the system's certificate authorities and against
// those that the environment names. If a certificate is wrong, the message names it.
test.each([
  [{}, url, 'straight'],
  [{ http_proxy: 'http://p:1' }, url, 'p:1 http_proxy'],
  [{ http_proxy: 'http://p:1' }, secure, 'straight'],
  [{ HTTP_PROXY: 'http://p:1' }, url, 'p:1 HTTP_PROXY'],
  [{ HTTP_PROXY: 'http://P:2', http_proxy: 'http://p:1' }, url, 'p:1 http_proxy'],
  [{ https_proxy: 'http://p:1' }, secure, 'p:1 https_proxy'],
  [{ HTTPS_PROXY: 'http://p:1' }, secure, 'p:1 HTTPS_PROXY'],
  [{ https_proxy: 'http://p:1' }, url, 'straight'],
  [{ all_proxy: 'http://p:1' }, url, 'p:1 all_proxy'],
  [{ ALL_PROXY: 'http://p:1' }, secure, 'p:1 ALL_PROXY'],
  [{ ALL_PROXY: 'http://a:1', http_proxy: 'http://p:1' }, url, 'p:1 http_proxy'],
  [{ http_proxy: '', all_proxy: 'http://p:1' }, url, 'p:1 all_proxy'],
  [{ http_proxy: 'p:3128' }, url, 'p:3128 http_proxy'],
  [{ http_proxy: 'https://p:1/' }, url, 'p:1 http_proxy'],
])('with %j %s goes through: %s', (env, to, expected) =>
  expect(through(env as Record<string, string>, '', to)).toBe(expected),
);

test.each([
  ['*', 'm.test'],
  ['m.test', 'm.test'],
  ['M.Test', 'm.test'],
  ['x.test, m.test', 'm.test'],
  ['x.test m.test', 'm.test'],
  ['.m.test', 'a.m.test'],
  ['*.m.test', 'a.m.test'],
  ['m.test', 'a.m.test'],
  ['m.test:80', 'm.test'],
  ['m.test:8080', 'm.test:8080'],
  ['10.0.0.0/8', '10.1.2.3'],
  ['10.1.2.3', '10.1.2.3'],
  ['fd00::/8', '[fd00::1]'],
  ['[fd00::1]', '[fd00::1]'],
  ['fd00::1', '[fd00::1]'],
])('no_proxy=%s: straight to %s', (no_proxy, host) => {
  for (const name of ['no_proxy', 'NO_PROXY'])
    expect(
      through({ http_proxy: 'http://p:1', [name]: no_proxy }, '', new URL(`http://${host}`)),
    ).toBe('straight');
});

test.each([
  ['', 'm.test'],
  ['x.test', 'm.test'],
  ['m.test', 'am.test'],
  ['a.m.test', 'm.test'],
  ['m.test:443', 'm.test'],
  ['10.0.0.0/8', '11.1.2.3'],
  ['10.0.0.0/99', '10.1.2.3'],
  ['10.0.0.0/8', 'm.test'],
  ['0.0.1', '10.0.0.1'],
])('no_proxy=%s: through the proxy to %s', (no_proxy, host) =>
  expect(through({ http_proxy: 'http://p:1', no_proxy }, '', new URL(`http://${host}`))).toBe(
    'p:1 http_proxy',
  ),
);

describe("apt's settings", () => {
  const http = 'Acquire::http::Proxy "http://apt:3142";\n';

  test.each([
    ['for http', http, url, "apt:3142 apt's Acquire::http::Proxy"],
    ['for https those of http', http, secure, "apt:3142 apt's Acquire::http::Proxy"],
    ['for https', `${http}Acquire::https::Proxy "DIRECT";`, secure, 'straight'],
    ['for one host', `${http}Acquire::http::Proxy::m.test "DIRECT";`, url, 'straight'],
    [
      'for another host',
      `${http}Acquire::http::Proxy::x.test "DIRECT";`,
      url,
      "apt:3142 apt's Acquire::http::Proxy",
    ],
    [
      'in other letters',
      'ACQUIRE::HTTP::proxy "http://apt:1";',
      url,
      "apt:1 apt's Acquire::http::Proxy",
    ],
    ['that are empty', 'Acquire::http::Proxy "";', url, 'straight'],
    ['of something else', 'Acquire::ftp::Proxy "http://apt:1";\nAPT "";\n', url, 'straight'],
  ])('count %s', (_, apt, to, expected) => expect(through({}, apt, to)).toBe(expected));

  test('come after the environment', () =>
    expect(through({ http_proxy: 'http://p:1' }, http)).toBe('p:1 http_proxy'));

  test('are exempt from what no_proxy names', () =>
    expect(through({ no_proxy: 'm.test' }, http)).toBe('straight'));
});

test.each([
  ['http://u:p%40ss@p:1', 'u:p@ss'],
  ['http://u@p:1', 'u:'],
  ['http://u:100%@p:1', 'u:100%'],
])('the login of %s is taken out of the address', (http_proxy, login) => {
  const proxy = proxiesOf({ http_proxy })(url);
  expect(proxy?.url.href).toBe('http://p:1/');
  expect(proxy?.login).toBe(`Basic ${Buffer.from(login).toString('base64')}`);
});

test.each(['http://', 'socks5://u:s3cret@p:1', 'http://u:s3cret@p:port', ':::'])(
  '%s is refused by the name of its variable, and not shown',
  (http_proxy) => {
    const ask = () => proxiesOf({ http_proxy })(url);
    expect(ask).toThrow('http_proxy');
    expect(ask).not.toThrow(/s3cret/);
  },
);
