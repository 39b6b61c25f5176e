/** Reads an unencrypted ed25519 private key in OpenSSH's own form (openssh's PROTOCOL.key), and proves it whole. */
import { createPrivateKey, createPublicKey } from 'node:crypto';

interface OpensshKey {
  /** The public half as a line of authorized_keys, comment included. */
  readonly public: string;
}

/** To be read after the path. */
interface Wrong {
  readonly wrong: string;
}

/** The key in a file's text, or what is wrong with it: "is empty". */
export function readOpensshKey(text: string): OpensshKey | Wrong {
  if (text.trim() === '') return { wrong: 'is empty' };
  const armoured =
    /^-----BEGIN OPENSSH PRIVATE KEY-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END OPENSSH PRIVATE KEY-----\s*$/.exec(
      text,
    );
  if (armoured === null) return { wrong: 'is not a complete OpenSSH private key' };
  try {
    return readBlob(Buffer.from(armoured[1] ?? '', 'base64'));
  } catch {
    // A length in it leads beyond its end.
    return { wrong: 'is damaged' };
  }
}

function readBlob(blob: Buffer): OpensshKey | Wrong {
  const parts = partsOf(blob);
  if ('wrong' in parts) return parts;
  const outside = new Fields(parts.public);
  const type = outside.string().toString();
  if (type !== 'ssh-ed25519') return { wrong: `is of type ${type}, not ssh-ed25519` };
  const inner = new Fields(parts.behind.string());
  const isWhole = inner.number() === inner.number() && inner.string().toString() === type;
  const claimed = inner.string();
  const secret = inner.string();
  const comment = inner.string().toString();
  if (!isWhole || !publicHalf(secret.subarray(0, 32)).equals(claimed))
    return { wrong: 'is damaged' };
  if (!outside.string().equals(claimed)) return { wrong: 'is damaged' };
  return { public: `${type} ${parts.public.toString('base64')} ${comment}`.trim() };
}

/** The public part of a file with one key, which anybody can read, and what is behind it. */
function partsOf(blob: Buffer): { readonly public: Buffer; readonly behind: Fields } | Wrong {
  const outer = new Fields(blob);
  if (outer.bytes(magic.length).toString() !== magic) return { wrong: 'is damaged' };
  const cipher = outer.string().toString();
  if (cipher !== 'none') return { wrong: 'has a passphrase, which nobody could enter' };
  outer.string();
  outer.string();
  if (outer.number() !== 1) return { wrong: 'contains several keys' };
  return { public: outer.string(), behind: outer };
}

const magic = 'openssh-key-v1\0';

/** RFC 8410 section 7: a PrivateKeyInfo that holds nothing but an ed25519 seed, up to the seed's 32 bytes. */
const pkcs8Head = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Of the seed alone: a form of key that carries a public half too may be believed, or refused, for the half that it carries. */
function publicHalf(seed: Buffer): Buffer {
  const key = Buffer.concat([pkcs8Head, seed]);
  const { x } = createPublicKey(createPrivateKey({ key, format: 'der', type: 'pkcs8' })).export({
    format: 'jwk',
  });
  return Buffer.from(x ?? '', 'base64url');
}

/** RFC 4251's strings and numbers, one after the other. Throws at the end of the bytes. */
class Fields {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  bytes(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError('a field beyond the end');
    const field = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return field;
  }

  number(): number {
    return this.bytes(4).readUInt32BE();
  }

  string(): Buffer {
    return this.bytes(this.number());
  }
}
