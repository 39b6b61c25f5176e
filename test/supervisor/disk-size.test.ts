import { expect, test } from 'vitest';
import { mostGiB, type FilePlace } from '../../src/supervisor/disk/disk-size.ts';

/** As ext4 on a desk: whatever is asked for. */
const roomy: FilePlace = { keepsHoles: true, freeGiB: 10, hasGiB: 0, takes: () => true };
/** FAT, exFAT or HFS+ allocates what it is told at once: nothing is tried there that it takes. */
const filling = (limitGiB: number): FilePlace => ({
  keepsHoles: false,
  freeGiB: 100,
  hasGiB: 0,
  takes: (sizeGiB) => {
    if (sizeGiB > 4) throw new Error(`${sizeGiB} GiB are written with zeros`);
    return sizeGiB < limitGiB;
  },
});

// Behaviour 16: If a file system does not allow a file as large as the disk, `configure` and a start say so, and say
// which size is allowed.
test.each<[string, FilePlace, number, ReturnType<typeof mostGiB>]>([
  ['a file system that keeps holes', roomy, 80, { most: 80, by: 'length' }],
  [
    'one with a limit (ext4 without extents)',
    { ...roomy, takes: (sizeGiB) => sizeGiB <= 16 },
    80,
    { most: 16, by: 'length' },
  ],
  ['FAT', filling(4), 80, { most: 3, by: 'length' }],
  ['FAT, with a disk that fits', filling(4), 3, { most: 3, by: 'room' }],
  ['FAT, nearly full', { ...filling(4), freeGiB: 2.5 }, 80, { most: 2, by: 'room' }],
  ['exFAT with room', filling(Infinity), 80, { most: 80, by: 'room' }],
  [
    'exFAT without',
    { ...filling(Infinity), freeGiB: 20.9, hasGiB: 0 },
    80,
    { most: 20, by: 'room' },
  ],
  [
    'exFAT with the disk half there',
    { ...filling(Infinity), freeGiB: 20.9, hasGiB: 40 },
    80,
    { most: 60, by: 'room' },
  ],
  [
    'exFAT with the disk there',
    { ...filling(Infinity), freeGiB: 0.1, hasGiB: 80 },
    80,
    { most: 80, by: 'room' },
  ],
])('%s', (_, place, wanted, most) => expect(mostGiB(place, wanted)).toEqual(most));
