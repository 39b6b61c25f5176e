import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { applyChange, examine, type WantedFile } from '../../src/host/file-change.ts';
import { withBlock } from '../../src/host/managed-block.ts';
import {
  readReceipts,
  receiptOf,
  receiptsOf,
  withReceipt,
  writeReceipts,
  type Receipt,
} from '../../src/host/receipts.ts';
import { applyUndo, undoStepsOf } from '../../src/host/undo.ts';
import { removeTree } from '../remove-tree.ts';

const directory = mkdtempSync(join(tmpdir(), 'receipts-'));
afterAll(() => removeTree(directory));

const whole = (name: string, text: string): WantedFile => ({
  path: join(directory, name),
  purpose: 'test',
  content: { kind: 'whole', text, secret: false },
  mode: 0o640,
  directoryMode: 0o700,
  byHand: '',
});
const block = (name: string, line: string): WantedFile => ({
  ...whole(name, ''),
  content: {
    kind: 'block',
    lines: [line],
    edit: (now) => withBlock(now, [line], 'first'),
    replaces: () => [],
    isThere: () => false,
  },
});

function put(wanted: WantedFile): Receipt {
  const examined = examine(wanted);
  if (examined.kind !== 'change') throw new Error(`nothing to change: ${examined.kind}`);
  applyChange(examined.change);
  return receiptOf(wanted, examined.change.before, 0);
}
describe('a receipt', () => {
  test('of a second change keeps what was before the first', () => {
    const first = put(whole('twice', 'one'));
    const second = put(whole('twice', 'two'));
    expect(second.before).not.toBeNull();
    const kept = withReceipt(withReceipt([], first), second);
    expect(kept).toEqual([{ ...second, before: null }]);
  });

  test("of a file of somebody else's keeps what was in it, the newest where there were two", () => {
    const wanted: WantedFile = {
      ...whole('theirs whole', 'ours'),
      content: { kind: 'whole', text: 'ours', secret: false, isTheirs: (now) => !now.equals(ours) },
    };
    const ours = Buffer.from('ours');
    const take = (known: readonly Receipt[]) => {
      const examined = examine(wanted);
      if (examined.kind !== 'change') throw new Error('a change');
      const receipts = receiptsOf(examined.change, 0).reduce(withReceipt, known);
      applyChange(examined.change);
      return receipts;
    };
    const undone = ([receipt]: readonly Receipt[]) => {
      for (const undoing of undoStepsOf(receipt === undefined ? [] : [receipt])) applyUndo(undoing);
      return readFileSync(wanted.path, 'latin1');
    };
    writeFileSync(wanted.path, 'caf\xe9 one', { encoding: 'latin1', mode: 0o664 });
    const first = take([]);
    writeFileSync(wanted.path, 'two');
    const second = take(first);
    expect(undone(second)).toBe('two');
    // A removal that was cut short after it.
    expect(undone(second)).toBe('two');
    writeFileSync(wanted.path, 'ours');
    expect(undone(first)).toBe('caf\xe9 one');
    expect(statSync(wanted.path).mode & 0o777).toBe(first[0]?.before?.mode);
  });

  test('is read back, and a file that is not one is a failure', () => {
    const path = join(directory, 'receipts.json');
    expect(readReceipts(path)).toEqual([]);
    const receipts = [put(whole('kept', 'x'))];
    writeReceipts(path, receipts);
    expect(readReceipts(path)).toEqual(receipts);
    writeFileSync(path, '{');
    expect(() => readReceipts(path)).toThrow(
      expect.objectContaining({
        failure: expect.objectContaining({ kind: 'receipts-unreadable' }) as unknown,
      }),
    );
  });
});

describe('a change', () => {
  test('is only one when bytes or mode differ; the mode is mended', () => {
    const wanted = whole('mode', 'x');
    put(wanted);
    expect(examine(wanted).kind).toBe('right');
    expect(examine({ ...wanted, mode: 0o600 }).kind).toBe('change');
    expect(put({ ...wanted, mode: 0o600 }).before?.mode).toBe(0o640);
  });

  test("keeps the mode of other people's files", () => {
    const path = join(directory, 'theirs');
    writeFileSync(path, '', { mode: 0o664 });
    const wanted = block('theirs', 'x');
    put(wanted);
    expect(examine(wanted)).toMatchObject({ kind: 'right' });
  });
});
