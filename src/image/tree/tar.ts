/** Entries -> one tar stream in which only the entries decide the bytes. */
import { Readable } from 'node:stream';
import { pack, type Header } from 'tar-stream';
import type { Entry } from './entry.ts';

/** A tar of everything, owned by root, all times the same. Entries are taken as fast as the tar is read. */
export function tarOf(entries: AsyncIterable<Entry>, time: Date): Readable {
  const tar = pack();
  const fill = async () => {
    for await (const entry of entries) await put(entry);
    tar.finalize();
  };
  const put = (entry: Entry) =>
    new Promise<void>((resolve, reject) => {
      const header = { ...headerOf(entry), uid: 0, gid: 0, mtime: time };
      const done = (error?: Error | null) => {
        if (error) reject(error);
        else resolve();
      };
      if (entry.kind === 'file') tar.entry(header, entry.data, done);
      else tar.entry(header, done);
    });
  fill().catch((error: unknown) => tar.destroy(error as Error));
  return Readable.from(tar as AsyncIterable<Uint8Array>);
}

function headerOf(entry: Entry): Partial<Header> & Pick<Header, 'name'> {
  switch (entry.kind) {
    case 'directory':
      return { name: entry.path, type: 'directory', mode: entry.mode };
    case 'file':
      return { name: entry.path, type: 'file', mode: entry.mode, size: entry.data.length };
    case 'symlink':
      return { name: entry.path, type: 'symlink', mode: 0o777, linkname: entry.target };
    case 'hardlink':
      return { name: entry.path, type: 'link', mode: 0o644, linkname: entry.target };
  }
}
