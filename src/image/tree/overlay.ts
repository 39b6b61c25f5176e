/** The guest's own files: rootfs/ in the repo, with modes.json for what a plain file cannot say (npm drops modes and links). */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import type { Entry } from './entry.ts';

const mode = v.pipe(
  v.string(),
  v.regex(/^[0-7]{4}$/),
  v.transform((text) => Number.parseInt(text, 8)),
);

/** By the path below rootfs/: a mode, or a link or directory that is not in the folder. */
const modesSchema = v.record(
  v.string(),
  v.union([mode, v.strictObject({ link: v.string() }), v.strictObject({ directory: mode })]),
);

/** Entries of rootfs/PART (`initrd` or `root`), sorted by path. */
export function overlayEntries(rootfs: string, part: 'initrd' | 'root'): Entry[] {
  const modes = v.parse(modesSchema, JSON.parse(readFileSync(join(rootfs, 'modes.json'), 'utf8')));
  const listed = Object.entries(modes).flatMap(([name, what]): Entry[] => {
    const path = pathIn(part, name);
    if (path === undefined || typeof what === 'number') return [];
    return 'link' in what
      ? [{ kind: 'symlink', path, target: what.link }]
      : [{ kind: 'directory', path, mode: what.directory }];
  });
  const files = readdirSync(join(rootfs, part), { recursive: true, withFileTypes: true })
    .filter((found) => found.isFile())
    .map((found): Entry => {
      const file = join(found.parentPath, found.name);
      const path = file.slice(join(rootfs, part).length + 1);
      const given = modes[`${part}/${path}`];
      return {
        kind: 'file',
        path,
        mode: typeof given === 'number' ? given : 0o644,
        data: readFileSync(file),
      };
    });
  return [...listed, ...files].sort((a, b) => (a.path < b.path ? -1 : 1));
}

const pathIn = (part: string, name: string): string | undefined =>
  name.startsWith(`${part}/`) ? name.slice(part.length + 1) : undefined;
