import { expect, test } from 'vitest';
import { countOperations } from '../../src/vm/qemu-machine.ts';

const drive = (stats: unknown) => ({ device: 'd', stats });

test.each([
  [
    'of all drives',
    [
      drive({ rd_operations: 3, wr_operations: 4, flush_operations: 1 }),
      drive({ rd_operations: 2 }),
    ],
    10,
  ],
  ['of none', [], 0],
  ['of an answer that is none', 'odd', 0],
  [
    'that are no numbers',
    [drive({ rd_operations: '7', wr_operations: {}, flush_operations: 5 })],
    5,
  ],
  ['without counters', [drive(undefined), null, 4, drive([])], 0],
])('operations %s are counted', (_what, answer, count) =>
  expect(countOperations(answer)).toBe(count),
);
