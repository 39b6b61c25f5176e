/**
 * One question over Nix's worker protocol: is a path in the store? Nix's own `nix-daemon --stdio` greets by itself, whatever becomes of
 * the daemon behind its socket; only what it is asked then is passed on to that one, which does all builds (Nix 2.34, daemon.cc). Our
 * image leads a login to that one from its first word on; another's may not.
 */
import { inMarks, quoted } from '../../system/plain-text.ts';

/** worker-protocol.hh; each word is little-endian in 8 bytes. */
const words = { client: 0x6e697863, daemon: 0x6478696f, isValidPath: 1 };
/** What comes before an answer: its log, an error in its place, or the end of these (TunnelLogger). */
const messages = { next: 0x6f6c6d67, error: 0x63787470, last: 0x616c7473 };
/** 1.37: of what has versions of its own now, later ones tell more in the greeting. */
const version = 0x125;

/** Greeting and question, all that is ever said to it: no CPU affinity, no reserved space, then the path, which nobody has. */
export const question = Buffer.concat([
  ...[words.client, version, 0, 0, words.isValidPath].map(word),
  text(`/nix/store/${'0'.repeat(32)}-is-anybody-there`),
]);

/** What came back so far. `stranger`: no nix daemon. `refused`: one that could not do it, in its own words. */
export type NixAnswer =
  | { readonly kind: 'incomplete' | 'stranger' }
  /** `version`: of Nix, as 1.33 and later say it. */
  | { readonly kind: 'answered'; readonly version?: string }
  | { readonly kind: 'refused'; readonly why: string };

/** Reads the daemon's half of the conversation from its first byte on. Pure; throws at nothing. */
export function nixAnswer(bytes: Buffer): NixAnswer {
  try {
    return read(new Cursor(bytes));
  } catch (error) {
    if (error instanceof RangeError) return { kind: 'incomplete' };
    throw error;
  }
}

/** Where the daemon's half begins, behind what a login may print before it; -1 as long as nothing of it came. */
export const beginningIn = (bytes: Buffer): number => bytes.indexOf(word(words.daemon));

function read(cursor: Cursor): NixAnswer {
  if (cursor.word() !== words.daemon) return { kind: 'stranger' };
  const minor = Math.min(cursor.word(), version) & 0xff;
  // Its name and number, and whether it trusts us.
  const named = minor >= 33 ? quoted(cursor.text()) : undefined;
  if (minor >= 35) cursor.word();
  // After the greeting, and after the question.
  const why = readLog(cursor, minor) ?? readLog(cursor, minor);
  if (why !== undefined) return { kind: 'refused', why };
  cursor.word();
  return { kind: 'answered', ...(named === undefined ? {} : { version: named }) };
}

/** Up to its end; or the error that stands there. */
function readLog(cursor: Cursor, minor: number): string | undefined {
  for (;;) {
    const kind = cursor.word();
    if (kind === messages.last) return undefined;
    if (kind === messages.next) cursor.text();
    else if (kind !== messages.error) return `it said 0x${kind.toString(16)}`;
    else {
      if (minor < 26) return inMarks(cursor.text()) ?? noReason;
      // Its type, its level, a name that nobody uses.
      cursor.text();
      cursor.word();
      cursor.text();
      return inMarks(cursor.text()) ?? noReason;
    }
  }
}

const noReason = 'no reason given';

/** Reads on; a RangeError where there is no more yet. */
class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  word(): number {
    const value = Number(this.#bytes.readBigUInt64LE(this.#at));
    this.#at += 8;
    return value;
  }

  /** Its length, its bytes, zeros up to a multiple of 8. */
  text(): string {
    const length = this.word();
    const [from, to] = [this.#at, this.#at + length];
    if (to > this.#bytes.length) throw new RangeError('it goes on');
    this.#at = from + Math.ceil(length / 8) * 8;
    return this.#bytes.toString('utf8', from, to);
  }
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([word(bytes.length), bytes, Buffer.alloc(-bytes.length & 7)]);
}
