import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as openpgp from 'openpgp';
import { describe, expect, test } from 'vitest';
import { readKeyring, signedText } from '../../src/image/debian/signature.ts';
import { clearSign, fakeKey } from '../fakes/fake-mirror.ts';
import { failureOf } from '../../src/system/failure.ts';

const text = 'Origin: Test\n- dashed\nDate: today';
const now = new Date('2026-02-01T00:00:00Z');
const key = await fakeKey();
const message = await clearSign(text, key);

const reasonFor = async (given: string, keyring = [key.armored], at = now) =>
  signedText(given, keyring, at).then(
    (found) => `believed: ${found}`,
    (error: unknown) => (error as Error).message,
  );

const wrong = 'release-wrong-signature';
const kindFor = async (given: string, keyring = [key.armored]) =>
  signedText(given, keyring, now).then(
    (found) => `believed: ${found}`,
    (error: unknown) => failureOf(error).kind,
  );

test('what was signed comes back, and nothing else', async () =>
  expect(await signedText(message, [key.armored], now)).toBe(text));

test('one good signature among others is enough', async () => {
  const { privateKey } = await fakeKey();
  const cleartext = await openpgp.createCleartextMessage({ text });
  const both = await openpgp.sign({
    message: cleartext,
    signingKeys: [privateKey, key.privateKey],
    date: new Date('2026-01-02T03:05:00Z'),
  });
  expect(await signedText(both, [key.armored], now)).toBe(text);
});

describe('is refused:', () => {
  test.each([
    ['tampered text', message.replace('today', 'later')],
    ['a line more', message.replace('Origin', 'Evil: yes\nOrigin')],
    ['no signature', text],
    ['nothing', ''],
    ['text before', `Evil: yes\n${message}`],
    ['an empty line and text before', `Evil: yes\n\n${message}`],
    ['text after', `${message}Evil: yes\n`],
    ['a second block', message + message],
    ['a header that is not Hash', message.replace(/^Hash: .*$/m, 'Comment: Evil')],
    ['a damaged signature', message.replace(/^([A-Za-z0-9+/]{40})/m, (line) => line.toLowerCase())],
    ['a missing end', message.slice(0, message.indexOf('-----END'))],
  ])('%s', async (_, given) => expect(await kindFor(given)).toBe(wrong));

  test('another key', async () => {
    const other = await fakeKey();
    expect(await kindFor(await clearSign(text, other))).toBe(wrong);
  });

  test('an empty keyring', async () => expect(await kindFor(message, [])).toBe(wrong));

  test('a key that has expired since', async () => {
    const short = await fakeKey({ keyExpirationTime: 3 * 24 * 3600 });
    const signed = await clearSign(text, short);
    const soon = new Date('2026-01-03T00:00:00Z');
    expect(await reasonFor(signed, [short.armored], soon)).toBe(`believed: ${text}`);
    expect(await reasonFor(signed, [short.armored])).toMatch(/expired/);
  });

  test('a revoked key', async () => {
    const { publicKey } = await openpgp.revokeKey({
      key: key.privateKey,
      reasonForRevocation: { flag: openpgp.enums.reasonForRevocation.keyCompromised },
      date: new Date('2026-01-05T00:00:00Z'),
      format: 'object',
    });
    expect(await reasonFor(message, [publicKey.armor()])).toMatch(/revoked/);
  });

  test('a signature of tomorrow', async () => {
    const early = await clearSign(text, key, new Date('2026-03-01T00:00:00Z'));
    expect(await kindFor(early)).toBe(wrong);
  });

  // Made with GnuPG, which can be talked into such hashes: --allow-weak-digest-algos --digest-algo SHA1 --clearsign.
  const weak = (name: string) => readFileSync(join(import.meta.dirname, 'weak', name), 'utf8');
  test.each(['SHA1', 'RIPEMD160', 'MD5'])('the weak hash %s', async (hash) => {
    const at = new Date('2026-12-01T00:00:00Z');
    const keyring = [weak('key.asc')];
    expect(await reasonFor(weak('SHA256.txt'), keyring, at)).toBe('believed: Origin: Weak');
    expect(await reasonFor(weak(`${hash}.txt`), keyring, at)).toMatch(/[Ii]nsecure|Unknown hash/);
  });
});

describe('the keyring of the repo', () => {
  const folder = join(import.meta.dirname, '../../src/image/keyring');

  test('has the keys that its provenance names', async () => {
    const provenance = readFileSync(join(folder, 'PROVENANCE.md'), 'utf8').replaceAll(' ', '');
    const keyring = readKeyring(folder);
    expect(keyring).toHaveLength(readdirSync(folder).length - 1);
    for (const armoredKeys of keyring)
      for (const each of await openpgp.readKeys({ armoredKeys }))
        expect(provenance).toContain(each.getFingerprint().toUpperCase());
  });
});
