import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { spawnFilter } from '../../src/system/process/filter.ts';

/** What a package of a test holds: by path, a file's content, or what else it is. */
export type FakeFiles = Readonly<
  Record<
    string,
    | string
    | Uint8Array
    | { link: string }
    | { hard: string }
    | { directory: number }
    | { exec: string }
  >
>;

/** A real .deb with these files, its data compressed. */
export async function fakeDeb(
  files: FakeFiles,
  compression: 'xz' | 'gz' | 'none' = 'gz',
  control = 'Package: x\n',
): Promise<Buffer> {
  const tar = await fakeTar(files);
  const data = compression === 'gz' ? gzipSync(tar) : compression === 'xz' ? await xz(tar) : tar;
  const name = compression === 'none' ? 'data.tar' : `data.tar.${compression}`;
  return ar({
    'debian-binary': Buffer.from('2.0\n'),
    'control.tar.gz': gzipSync(await fakeTar({ control })),
    [name]: data,
  });
}

/** Compressed by the system's xz. */
export async function xz(data: Uint8Array): Promise<Buffer> {
  const { output } = spawnFilter('xz', ['-c'], data);
  return Buffer.concat((await output.toArray()) as Buffer[]);
}

/** An ar archive of the members, in order. */
export function ar(members: Readonly<Record<string, Uint8Array>>): Buffer {
  const parts = Object.entries(members).flatMap(([name, data]) => [
    Buffer.from(
      `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(data.length).padEnd(10)}\`\n`,
    ),
    data,
    Buffer.alloc(data.length % 2, '\n'),
  ]);
  return Buffer.concat([Buffer.from('!<arch>\n'), ...parts]);
}

/** A tar as dpkg writes them: names begin with ./ */
export async function fakeTar(files: FakeFiles): Promise<Buffer> {
  const tar = pack();
  for (const [path, what] of Object.entries(files)) {
    const common = { name: `./${path}`, mtime: new Date(0), uid: 1000, gid: 1000 };
    if (typeof what === 'string' || what instanceof Uint8Array)
      tar.entry({ ...common, mode: 0o644 }, Buffer.from(what));
    else if ('exec' in what) tar.entry({ ...common, mode: 0o755 }, what.exec);
    else if ('link' in what) tar.entry({ ...common, type: 'symlink', linkname: what.link });
    else if ('hard' in what) tar.entry({ ...common, type: 'link', linkname: `./${what.hard}` });
    else tar.entry({ ...common, type: 'directory', mode: what.directory });
  }
  tar.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of tar) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}
