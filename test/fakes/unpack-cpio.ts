/** The entries of a newc archive by path, as the kernel would see them. */
export function unpackCpio(archive: Buffer): Map<string, { mode: number; data: Buffer }> {
  const entries = new Map<string, { mode: number; data: Buffer }>();
  for (let at = 0; ;) {
    const field = (n: number) =>
      parseInt(archive.toString('latin1', at + 6 + 8 * n, at + 14 + 8 * n), 16);
    const nameEnd = at + 110 + field(11);
    const path = archive.toString('utf8', at + 110, nameEnd - 1);
    if (path === 'TRAILER!!!') return entries;
    const from = (nameEnd + 3) & ~3;
    entries.set(path, { mode: field(1), data: archive.subarray(from, from + field(6)) });
    at = (from + field(6) + 3) & ~3;
  }
}
