import { expect, test } from 'vitest';
import { givenBack } from '../../src/doctor/check-give-back.ts';
import { vmPrograms } from '../../src/domain/vm-programs.ts';
import { plainly } from '../../src/system/advice.ts';

// Behaviour 128: The daemon asks the guest's kernel whether freed memory and disk space return to the host. If memory
// does not return, `status` and `doctor` say what will free it.
test('doctor says what goes back, and what ends it where memory does not', () => {
  const { qemu, hyperkit } = vmPrograms;
  expect(givenBack({ memory: true, disk: true }, qemu).kind).toBe('good');
  const wordsOf = (memory: boolean, disk: boolean, row: Parameters<typeof givenBack>[1]) => {
    const verdict = givenBack({ memory, disk }, row);
    if (verdict.kind !== 'note') throw new Error('it is worth knowing');
    return [verdict.code, plainly(verdict.why)] as const;
  };
  const [code, why] = wordsOf(false, true, hyperkit);
  expect(code).toBe('returns-disk');
  expect(why).toMatch(/linuxkit-builder suspend, /);
  expect(wordsOf(true, false, hyperkit)).toEqual([
    'returns-memory',
    expect.stringContaining('HyperKit'),
  ]);
  const never = { title: 'Another', givesBack: { disk: false } };
  expect(wordsOf(false, false, never)).toEqual(['returns-nothing', expect.stringContaining(why)]);
});
