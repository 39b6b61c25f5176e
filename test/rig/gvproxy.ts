/** A real server of VPNKit's protocol: gvproxy from Debian 13, fetched and verified as the guest's packages are. */
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { debEntries } from '../../src/image/debian/deb.ts';
import { downloadAll } from '../../src/image/http/download.ts';
import { cachedPath } from '../../src/image/http/cached-file.ts';
import { findMirror } from '../../src/image/mirror/mirror.ts';
import { fetchIndex, fetchRelease } from '../../src/image/debian/release.ts';
import { readKeyring } from '../../src/image/debian/signature.ts';
import { systemClock } from '../../src/system/time/clock.ts';

const checkout = resolve(import.meta.dirname, '../..');
const cache = join(checkout, '.cache/gvproxy');

/** The program, from the cache when it is there. */
export async function fetchGvproxy(): Promise<string> {
  const program = join(cache, 'bin/gvproxy');
  if (existsSync(program)) return program;
  const mirror = findMirror(undefined).url;
  const keyring = readKeyring(join(checkout, 'src/image/keyring'));
  const options = { directory: join(cache, 'downloads'), clock: systemClock };
  const release = await fetchRelease(mirror, 'trixie', keyring, options);
  const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const found = (await fetchIndex(mirror, release, arch, options)).get('gvproxy')?.[0];
  if (found === undefined) throw new Error('the mirror has no package gvproxy');
  await downloadAll([{ ...found, url: `${mirror}/${found.filename}` }], options);
  const deb = readFileSync(cachedPath(options.directory, found.sha256));
  const want = (path: string) => path.endsWith('/gvproxy');
  const files = await debEntries(deb, { name: 'gvproxy', want });
  const file = files.find((entry) => entry.kind === 'file');
  if (file?.kind !== 'file') throw new Error('the package gvproxy holds no program');
  mkdirSync(dirname(program), { recursive: true });
  const unfinished = `${program}.${process.pid}`;
  writeFileSync(unfinished, file.data);
  chmodSync(unfinished, 0o755);
  renameSync(unfinished, program);
  return program;
}
