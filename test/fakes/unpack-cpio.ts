/** The entries of newc archives, one after the other, by path, as the kernel would see them. */
export function unpackCpio(archive: Buffer): Map<string, { mode: number; data: Buffer }> {
  const entries = new Map<string, { mode: number; data: Buffer }>();
  for (let at = 0; at < archive.length;) {
    // Zeros between two archives.
    if (archive[at] === 0) {
      at += 4;
      continue;
    }
    const field = (n: number) =>
      parseInt(archive.toString('latin1', at + 6 + 8 * n, at + 14 + 8 * n), 16);
    const nameEnd = at + 110 + field(11);
    const path = archive.toString('utf8', at + 110, nameEnd - 1);
    const from = (nameEnd + 3) & ~3;
    if (path !== 'TRAILER!!!')
      entries.set(path, { mode: field(1), data: archive.subarray(from, from + field(6)) });
    at = (from + field(6) + 3) & ~3;
  }
  return entries;
}
