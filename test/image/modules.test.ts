import { expect, test } from 'vitest';
import { dependsOf, loadOrder, numberedName, unsigned } from '../../src/image/tree/modules.ts';
import { collectParts, noParts } from '../../src/image/tree/parts.ts';
import { xz } from '../fakes/fake-deb.ts';

const module = (...depends: readonly string[]) =>
  Buffer.from(`\x7fELF....license=GPL\0depends=${depends.join(',')}\0name=x\0`);
const base = 'usr/lib/modules/6.1-test/kernel';

async function parts(modules: Readonly<Record<string, readonly string[]>>, builtin = '') {
  const found = noParts();
  const files = await Promise.all(
    Object.entries(modules).map(async ([name, depends], n) => ({
      path: `${base}/drivers/${name}.ko${n % 2 === 0 ? '.xz' : ''}`,
      data: n % 2 === 0 ? await xz(module(...depends)) : module(...depends),
    })),
  );
  const list = { path: 'usr/lib/modules/6.1-test/modules.builtin', data: Buffer.from(builtin) };
  const entries = [...files, list].map((file) => ({ kind: 'file' as const, mode: 0o644, ...file }));
  collectParts(entries, found);
  return found;
}
const order = async (names: readonly string[], from: Awaited<ReturnType<typeof parts>>) =>
  (await loadOrder(names, from)).map(({ name }) => name);

const signatureWords = '~Module signature appended~\n';
/** As sign-file of the kernel leaves a module: it, the signature, what that is, and its magic words. */
function signed(length: number, data = Buffer.from('module')): Buffer {
  const about = Buffer.from([0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  about.writeUInt32BE(length, 8);
  return Buffer.concat([data, Buffer.from('sign'), about, Buffer.from(signatureWords)]);
}

test('each module comes after what it needs, once, in the order asked for', async () => {
  const from = await parts({
    virtio_net: ['net_failover'],
    net_failover: ['failover'],
    failover: [],
    loop: [],
    'virtio-rng': ['failover'],
  });
  expect(await order(['loop', 'virtio_net', 'virtio-rng', 'failover'], from)).toEqual([
    'loop',
    'failover',
    'net_failover',
    'virtio_net',
    'virtio_rng',
  ]);
});

test('what the kernel has inside is passed over', async () => {
  const from = await parts(
    { a: ['ext4'] },
    'kernel/fs/ext4/ext4.ko\nkernel/virtio/virtio-pci.ko\n',
  );
  expect(await order(['virtio_pci', 'a'], from)).toEqual(['a']);
});

test('modules that need each other end', async () =>
  expect(await order(['a'], await parts({ a: ['b'], b: ['a'] }))).toEqual(['b', 'a']));

test('they come unpacked', async () => {
  const [first] = await loadOrder(['a'], await parts({ a: [] }));
  expect(Buffer.from(first?.data ?? []).toString('latin1', 0, 4)).toBe('\x7fELF');
});

test.each([
  ['a signature', signed(4), 'module'],
  ['none', Buffer.from('module'), 'module'],
  ['one that would be longer than all of it', signed(4000), signed(4000).toString('latin1')],
  ['the magic words alone', Buffer.from(signatureWords), signatureWords],
])('of a module with %s what counts is left', (_, data, left) =>
  expect(Buffer.from(unsigned(data)).toString('latin1')).toBe(left),
);

test('they come without signatures', async () => {
  const from = await parts({ a: [], b: [] });
  for (const name of from.modules.keys())
    from.modules.set(name, { path: `${base}/${name}.ko`, data: signed(4, module()) });
  const loaded = await loadOrder(['a', 'b'], from);
  expect(loaded.map(({ data }) => Buffer.from(data))).toEqual([module(), module()]);
});

test('one that is missing is named, with who needs it', async () => {
  const from = await parts({ user: ['used'] });
  await expect(order(['user'], from)).rejects.toMatchObject({
    failure: { kind: 'module-missing', message: expect.stringMatching(/used.*user/) as string },
  });
});

test('a module without a list of others needs none', () =>
  expect(dependsOf(Buffer.from('\x7fELF'))).toEqual([]));

test('names sort in load order', () =>
  expect([9, 0, 1].map((n) => numberedName(n, 'x')).sort()).toEqual([
    '01-x.ko',
    '02-x.ko',
    '10-x.ko',
  ]));
