import { describe, expect, test } from 'vitest';
import { extraSystemProblems, extraSystemWarnings } from '../../src/nix/extra-systems.ts';

const asked = { system: 'x86_64-linux', extraSystems: ['i686-linux'] } as const;
const none = { system: 'x86_64-linux', extraSystems: [] } as const;
const settings = ({ system, extraSystems }: typeof asked | typeof none) => ({
  system,
  extraSystems: [...extraSystems],
});

// Behaviour 140: If `extraSystems` names `i686-linux`, `configure` offers that system to Nix, unless a program for it
// was tried in the guest and failed. If the guest later cannot run such programs, `status`, `doctor` and `explain` say
// so.
describe('i686-linux', () => {
  test.each([
    ['is offered where a program ran', true, 0],
    ['is refused where none did', false, 1],
    ['is taken, with a warning, where nobody could try', undefined, 0],
  ])('%s', (_, runs, problems) => {
    expect(extraSystemProblems(settings(asked), runs)).toHaveLength(problems);
    expect(extraSystemWarnings(settings(asked), runs)).toHaveLength(runs === undefined ? 1 : 0);
  });

  test('is nothing for a guest of another processor', () =>
    expect(
      extraSystemProblems({ system: 'aarch64-linux', extraSystems: ['i686-linux'] }, undefined),
    ).toMatchObject([{ path: 'extraSystems', value: 'i686-linux' }]));

  test('is not told of where nobody asked for it', () => {
    expect(extraSystemProblems(settings(none), false)).toEqual([]);
    expect(extraSystemWarnings(settings(none), undefined)).toEqual([]);
  });
});
