import { describe, expect, test } from 'vitest';
import { askedByGuest, tellNameServers } from '../../src/guest/agent/name-servers.ts';
import { nameServersIn } from '../../src/system/host/resolvers.ts';

test("a resolv.conf's servers, in their order", () => {
  const text = [
    '# nameserver 1.1.1.1',
    'search example.org',
    'nameserver 192.0.2.1',
    '\tnameserver   fe80::1%en0  ',
    'nameserver',
    'nameservers 192.0.2.9',
  ].join('\n');
  expect(nameServersIn(text)).toEqual(['192.0.2.1', 'fe80::1%en0']);
  expect(nameServersIn('')).toEqual([]);
});

test.each([
  ['as they are', ['192.0.2.1', '10.1.1.1'], ['192.0.2.1', '10.1.1.1']],
  ["the host's own by its loopback, once", ['127.0.0.1', '0.0.0.0'], ['192.168.127.254']],
  ['none that the guest cannot reach', ['127.0.0.53', '::1', 'fe80::1%en0'], []],
  ['those that it can, in their order', ['::1', '192.0.2.1', '127.0.0.53'], ['192.0.2.1']],
  [
    'two, since a resolver takes three',
    ['192.0.2.1', '192.0.2.2', '192.0.2.3'],
    ['192.0.2.1', '192.0.2.2'],
  ],
])('a guest asks %s', (_, servers, asked) =>
  expect(askedByGuest(servers, '192.168.127.254')).toEqual(asked),
);

describe('what a guest is told', () => {
  const told = async (servers: string[], before: string[]) => {
    let argv: readonly string[] = [];
    const exec = (_: string, args: readonly string[]) => {
      argv = args.slice(3);
      return Promise.resolve({ code: 0, stdout: '', stderr: '' });
    };
    const telling = { servers, before, own: ['192.168.127.1'] };
    await tellNameServers({ exec }, telling, new AbortController().signal);
    return argv;
  };

  test("the host's servers before the network's own, and rules by which builds reach them", async () => {
    const [rules = '', ...servers] = await told(['192.0.2.1'], ['192.0.2.7']);
    expect(servers).toEqual(['192.0.2.1', '192.168.127.1']);
    // Each 72 bytes: two that are taken back (RTM_DELRULE), then two (RTM_NEWRULE) before those of the start.
    const words =
      Buffer.from(rules, 'base64')
        .toString('hex')
        .match(/.{144}/g) ?? [];
    expect(words.map((rule) => rule.slice(8, 16))).toEqual([
      '21000100',
      '21000100',
      '20000106',
      '20000106',
    ]);
    expect(words.map((rule) => /0800(?:01)00(.{8})08000600(.{8})/.exec(rule)?.slice(1))).toEqual([
      ['c0000207', '84030000'],
      ['c0000207', '85030000'],
      ['c0000201', '84030000'],
      ['c0000201', '85030000'],
    ]);
  });

  test("nothing but its network's own where it asked that from the start", async () =>
    expect(await told([], [])).toEqual(['', '192.168.127.1']));
});
