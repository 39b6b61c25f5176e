import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as openpgp from 'openpgp';
import { fakeDeb, xz, type FakeFiles } from './fake-deb.ts';

export interface FakePackage {
  readonly name: string;
  readonly version?: string;
  /** Other fields of its paragraph: `Depends`, `Provides`. */
  readonly fields?: Readonly<Record<string, string>>;
  readonly files?: FakeFiles;
}

export interface Publication {
  readonly date?: Date;
  /** Below `dists/`. */
  readonly suite?: string;
  /** What the release file calls itself. */
  readonly codename?: string;
  readonly validUntil?: Date;
}

/** A key pair of a test's own archive. */
export interface FakeKey {
  readonly privateKey: openpgp.PrivateKey;
  readonly armored: string;
}

export type Responder = (request: IncomingMessage, response: ServerResponse) => void;

/** An archive on loopback: real packages, a real index, really signed. Counts what is asked for. Its security archive is itself. */
export class FakeMirror {
  readonly key: FakeKey;
  readonly files = new Map<string, Buffer>();
  /** Paths asked for, in order. */
  readonly requests: string[] = [];
  /** Answers to a path instead of the file. */
  readonly answers = new Map<string, Responder>();
  readonly #server: Server;

  private constructor(key: FakeKey) {
    this.key = key;
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  static async start(key?: FakeKey): Promise<FakeMirror> {
    const mirror = new FakeMirror(key ?? (await fakeKey()));
    await new Promise<void>((resolve) => mirror.#server.listen(0, '127.0.0.1', resolve));
    return mirror;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/debian`;
  }

  /** Replaces everything by these packages, for both architectures; returns each one's path in the pool. */
  async publish(
    packages: readonly FakePackage[],
    options: Publication = {},
  ): Promise<ReadonlyMap<string, string>> {
    this.files.clear();
    return this.publishSuite(packages, options);
  }

  /** Beside what is there: a suite's packages and its signed lists. */
  async publishSuite(
    packages: readonly FakePackage[],
    {
      date = new Date('2026-01-02T03:04:05Z'),
      suite = 'trixie',
      codename = suite,
      validUntil,
    }: Publication = {},
  ): Promise<ReadonlyMap<string, string>> {
    const paths = new Map<string, string>();
    const paragraphs: string[] = [];
    for (const each of packages) {
      const { name, version = '1.0', fields = {} } = each;
      const control = paragraphOf({ Package: name, Version: version, ...fields });
      const deb = await fakeDeb(each.files ?? { 'usr/share/doc/x': name }, 'gz', control);
      const path = `pool/main/${name}_${version}_all.deb`;
      this.files.set(path, deb);
      paths.set(name, path);
      const all = {
        Package: name,
        Version: version,
        ...fields,
        Filename: path,
        Size: deb.length,
        SHA256: sha256(deb),
      };
      paragraphs.push(paragraphOf(all));
    }
    const index = await xz(Buffer.from(paragraphs.join('\n')));
    const lines = ['amd64', 'arm64'].map((arch) => {
      const path = `main/binary-${arch}/Packages.xz`;
      this.files.set(`dists/${suite}/${path}`, index);
      return ` ${sha256(index)} ${index.length} ${path}`;
    });
    const until = validUntil === undefined ? '' : `Valid-Until: ${validUntil.toUTCString()}\n`;
    await this.sign(
      `Origin: Test\nCodename: ${codename}\nDate: ${date.toUTCString()}\n${until}SHA256:\n${lines.join('\n')}\n`,
      this.key,
      suite,
    );
    return paths;
  }

  /** Publishes a release file with that text, signed by a key (the mirror's own by default). */
  async sign(text: string, key: FakeKey = this.key, suite = 'trixie'): Promise<void> {
    this.files.set(`dists/${suite}/InRelease`, Buffer.from(await clearSign(text, key)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = decodeURIComponent((request.url ?? '').replace(/^\/debian(-security)?\//, ''));
    this.requests.push(path);
    const special = this.answers.get(path);
    if (special !== undefined) return special(request, response);
    const file = this.files.get(path);
    if (file === undefined) return void response.writeHead(404).end();
    sendRange(request, response, file);
  }
}

const paragraphOf = (fields: Readonly<Record<string, string | number>>): string =>
  Object.entries(fields)
    .map(([field, value]) => `${field}: ${value}\n`)
    .join('');

/** A file, or the rest of it when that is asked for. */
export function sendRange(request: IncomingMessage, response: ServerResponse, file: Buffer): void {
  const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (from === 0) return void response.writeHead(200, { 'content-length': file.length }).end(file);
  if (from >= file.length) return void response.writeHead(416).end();
  const range = `bytes ${from}-${file.length - 1}/${file.length}`;
  response.writeHead(206, { 'content-length': file.length - from, 'content-range': range });
  response.end(file.subarray(from));
}

export interface KeyTimes {
  readonly date?: Date;
  /** Seconds after its date; never when left out. */
  readonly keyExpirationTime?: number;
}

export async function fakeKey(times: KeyTimes = {}): Promise<FakeKey> {
  const { privateKey, publicKey } = await openpgp.generateKey({
    type: 'ecc',
    curve: 'nistP256',
    userIDs: [{ name: 'Test Archive', email: 'archive@test.invalid' }],
    date: new Date('2026-01-01T00:00:00Z'),
    ...times,
    format: 'object',
  });
  return { privateKey, armored: publicKey.armor() };
}

/** A clear-signed message. */
export async function clearSign(
  text: string,
  { privateKey }: FakeKey,
  date = new Date('2026-01-02T03:05:00Z'),
): Promise<string> {
  const message = await openpgp.createCleartextMessage({ text });
  return openpgp.sign({ message, signingKeys: privateKey, date });
}

export const sha256 = (data: string | Uint8Array): string =>
  createHash('sha256').update(data).digest('hex');
