/**
 * What `nix-store --serve --write` is told so that it builds a derivation whose file it does not have: the request of a build that is
 * sent over ssh (Nix's serve-protocol.hh and legacy-ssh-store.cc). It is complete by itself: no answer decides on what follows.
 */
import type { StoredDerivation } from './stored-derivation.ts';

interface BuildRequest {
  /** The derivation's path; builds are told by its name. */
  readonly path: string;
  readonly derivation: Pick<StoredDerivation, 'outputs' | 'system' | 'builder' | 'args' | 'env'>;
  /** Store paths whose closure the build sees. */
  readonly inputs: readonly string[];
}

const hello = 0x390c9deb;
/** 2.7, which Nix speaks since 2.4: the newest that is the same in all that have come since. */
const version = (2 << 8) | 7;
const buildDerivation = 8;

/** The bytes. Its directory is kept when it fails, and it may take as long as it likes. */
export function buildRequest({ path, derivation, inputs }: BuildRequest): Buffer {
  const { outputs, system, builder, args, env } = derivation;
  const noLimits = { maxSilentSeconds: 0, timeoutSeconds: 0, maxLogBytes: 0 };
  const [repeats, enforceDeterminism, keepFailed] = [0, 0, 1];
  return Buffer.concat([
    ...[hello, version, buildDerivation].map(number),
    text(path),
    list(outputs, ({ name, path: out, algorithm, hash }) => [name, out, algorithm, hash].map(text)),
    list(inputs, (input) => [text(input)]),
    text(system),
    text(builder),
    list(args, (arg) => [text(arg)]),
    list(env, ([name, value]) => [text(name), text(value)]),
    ...Object.values(noLimits).map(number),
    ...[repeats, enforceDeterminism, keepFailed].map(number),
  ]);
}

/** 64 bits, the lowest first. */
function number(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** Its length, its bytes, and zeros up to the next multiple of eight. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([number(bytes.length), bytes, Buffer.alloc(-bytes.length & 7)]);
}

const list = <T>(items: readonly T[], each: (item: T) => readonly Buffer[]): Buffer =>
  Buffer.concat([number(items.length), ...items.flatMap(each)]);
