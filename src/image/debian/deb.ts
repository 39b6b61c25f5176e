/** Reading a Debian package: an ar archive with a compressed tar in it (deb(5)). */
import { pipeline } from 'node:stream/promises';
import { extract, type Header } from 'tar-stream';
import { Exit, Failed } from '../../system/failure.ts';
import { paragraphs, type Paragraph } from './control-format.ts';
import { compressionOf, decompressed } from '../tree/decompress.ts';
import type { Entry } from '../tree/entry.ts';
import { advice, ours } from '../../system/advice.ts';

interface DebOptions {
  /** For messages. */
  readonly name: string;
  /** Whether a path is wanted: what is not is never held. */
  readonly want: (path: string) => boolean;
  readonly signal?: AbortSignal;
}

/** The wanted entries of a package in its own order, with paths as they are after the /usr merge. */
export async function debEntries(deb: Uint8Array, options: DebOptions): Promise<Entry[]> {
  return entriesOf(memberOf(deb, 'data.tar', options.name), options);
}

/** What a package says of itself: the paragraph that an index has of it too, but for place and hash. */
export async function debControl(deb: Uint8Array, name: string): Promise<Paragraph> {
  const want = (path: string) => path === 'control';
  const [entry] = await entriesOf(memberOf(deb, 'control.tar', name), { name, want });
  const text = entry?.kind === 'file' ? Buffer.from(entry.data).toString('utf8') : '';
  const [paragraph] = paragraphs(text);
  if (paragraph === undefined) throw broken(name, 'it has no control data');
  return paragraph;
}

async function entriesOf(member: Member, options: DebOptions): Promise<Entry[]> {
  const { name, want, signal } = options;
  const plain = decompressed(name, member.data, compressionOf(member.name), signal);
  const tar = extract();
  const fed = pipeline(plain, tar);
  // Awaited below; until then its failure is the loop's failure too.
  fed.catch(() => undefined);
  const entries: Entry[] = [];
  try {
    for await (const item of tar) {
      const path = mergedPath(item.header.name);
      const wanted = path !== '' && want(path);
      if (path.split('/').includes('..')) throw broken(name, `it contains the unsafe path ${path}`);
      if (wanted) entries.push(await read(item, path, name));
      else item.resume();
    }
    await fed;
  } catch (error) {
    signal?.throwIfAborted();
    // tar-stream says what is wrong with a tar by plain Errors; a TypeError is a bug.
    if (error instanceof Failed || error instanceof TypeError) throw error;
    throw broken(name, (error as Error).message);
  }
  return entries;
}

/** `./lib/x` -> `usr/lib/x`: /bin, /sbin and /lib* are links into /usr, which the tree makes itself. */
export function mergedPath(name: string): string {
  const path = name.replace(/^(\.?\/)+/, '').replace(/\/+$/, '');
  if (/^(bin|sbin|lib|lib64|\.|)$/.test(path)) return '';
  return /^(bin|sbin|lib|lib64)\//.test(path) ? `usr/${path}` : path;
}

/** What a tar has of one file. */
interface Item extends AsyncIterable<unknown> {
  readonly header: Header;
  resume(): unknown;
}

/** Takes all of it from the stream. */
async function read(item: Item, path: string, name: string): Promise<Entry> {
  const { header } = item;
  if (header.type !== 'file') {
    item.resume();
    return entryOf(header, path, name);
  }
  const data = await whole(item as AsyncIterable<Uint8Array>);
  return { kind: 'file', path, mode: modeOf(header), data };
}

function entryOf(header: Header, path: string, name: string): Entry {
  const target = header.linkname;
  if (header.type === 'directory') return { kind: 'directory', path, mode: modeOf(header) };
  if (header.type === 'symlink') return { kind: 'symlink', path, target };
  if (header.type === 'link') return { kind: 'hardlink', path, target: mergedPath(target) };
  throw broken(name, `${path} has the unsupported type ${header.type}`);
}

const modeOf = ({ mode }: Header): number => mode & 0o7777;

async function whole(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const magic = '!<arch>\n';
/** Of each member: ar(5). */
const headerBytes = 60;

interface Member {
  readonly name: string;
  readonly data: Uint8Array;
}

/** The member whose name begins so. */
function memberOf(deb: Uint8Array, wanted: string, name: string): Member {
  const bytes = Buffer.from(deb.buffer, deb.byteOffset, deb.byteLength);
  if (bytes.toString('latin1', 0, magic.length) !== magic)
    throw broken(name, 'it is not an ar archive');
  for (let at = magic.length; at + headerBytes <= bytes.length;) {
    const header = bytes.toString('latin1', at, at + headerBytes);
    const size = Number(header.slice(48, 58).trim());
    const from = at + headerBytes;
    if (!header.endsWith('`\n') || !Number.isSafeInteger(size) || from + size > bytes.length)
      throw broken(name, 'its ar archive has an invalid header');
    const member = header.slice(0, 16).trim().replace(/\/$/, '');
    if (member.startsWith(wanted)) return { name: member, data: bytes.subarray(from, from + size) };
    at = from + size + (size % 2);
  }
  throw broken(name, `it does not contain ${wanted}`);
}

const broken = (name: string, why: string): Failed =>
  new Failed({
    kind: 'package-broken',
    message: `Cannot read the package ${name}: ${why}.`,
    hint: advice`Update the lock with ${ours('image build', '--update')}, or use another mirror with --mirror URL.`,
    exit: Exit.dataError,
  });
