/** Who says so: the OpenPGP signature on a release file. The only file that knows openpgp, which is loaded when it is needed. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Key, enums } from 'openpgp';
import { Exit, Failed } from '../../system/failure.ts';

/** Armored public keys that are believed. */
export type Keyring = readonly string[];

/** Every `*.asc` of a directory. */
export function readKeyring(directory: string): Keyring {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.asc'))
    .sort()
    .map((name) => readFileSync(join(directory, name), 'utf8'));
}

/**
 * The text of a clear-signed message, if at least one of its signatures is good: by a key of the ring that is neither
 * expired nor revoked at `now`, with a strong hash. Exactly what was signed is returned; anything around it is refused.
 */
export async function signedText(message: string, keyring: Keyring, now: Date): Promise<string> {
  const openpgp = await import('openpgp');
  onlySigned(message);
  const keys = (
    await Promise.all(keyring.map((armoredKeys) => openpgp.readKeys({ armoredKeys })))
  ).flat();
  const reasons: string[] = [];
  try {
    const cleartext = await openpgp.readCleartextMessage({ cleartextMessage: message });
    const verified = await openpgp.verify({
      message: cleartext,
      verificationKeys: keys.map((key) => key.toPublic()),
      date: now,
      config: { rejectMessageHashAlgorithms: weakHashes(openpgp.enums.hash) },
    });
    for (const { keyID, verified: good } of verified.signatures) {
      const reason = await good.then(
        () => unfit(keys, keyID.toHex(), now),
        (error: unknown) => (error as Error).message,
      );
      if (reason === undefined) return verified.data;
      reasons.push(`${keyID.toHex()}: ${reason}`);
    }
  } catch (error) {
    reasons.push((error as Error).message);
  }
  throw wrong(reasons.length === 0 ? 'no signature' : reasons.join('; '));
}

/** Refuses text before, between and after the signed block: it would look signed and is not. */
function onlySigned(all: string): void {
  const text = all.replaceAll('\r\n', '\n').trimEnd();
  const marks = [...text.matchAll(/^-----(?:BEGIN|END) PGP [A-Z ]+-----[ \t]*$/gm)].map((match) =>
    match[0].trimEnd(),
  );
  const expected = [
    '-----BEGIN PGP SIGNED MESSAGE-----',
    '-----BEGIN PGP SIGNATURE-----',
    '-----END PGP SIGNATURE-----',
  ];
  const whole =
    marks.join() === expected.join() &&
    text.startsWith(expected[0] ?? '') &&
    text.endsWith(expected[2] ?? '');
  if (!whole) throw wrong('it is not exactly one signed block');
}

/** Why the key that made a good signature is not to be believed now, or undefined. */
async function unfit(keys: readonly Key[], id: string, now: Date): Promise<string | undefined> {
  const isSigner = (key: { getKeyID(): { toHex(): string } }) => key.getKeyID().toHex() === id;
  const key = keys.find((each) => [each, ...each.subkeys].some(isSigner));
  if (key === undefined) return 'unknown key';
  if (await key.isRevoked(undefined, undefined, now)) return 'the key is revoked';
  const subkey = key.subkeys.find(isSigner);
  if (subkey !== undefined && (await subkey.isRevoked(undefined as never, undefined as never, now)))
    return 'the key is revoked';
  const ends = [await key.getExpirationTime(), await subkey?.getExpirationTime(now)];
  const expired = ends.find((end) => end instanceof Date && end <= now);
  return expired instanceof Date ? `the key expired on ${expired.toISOString()}` : undefined;
}

const weakHashes = (hash: typeof enums.hash) => new Set([hash.md5, hash.sha1, hash.ripemd]);

const wrong = (why: string): Failed =>
  new Failed({
    kind: 'release-wrong-signature',
    message: `The mirror's package list is not signed by Debian: ${why}.`,
    hint: 'Use another mirror with --mirror URL. If this happens with every mirror, the clock is wrong, or somebody intercepts the connection.',
    exit: Exit.dataError,
  });
