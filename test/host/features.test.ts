import { describe, expect, test } from 'vitest';
import { featureProblems, featureWarnings } from '../../src/host/features.ts';

describe('features are the truth', () => {
  test.each([
    [['big-parallel'], false, []],
    [['kvm', 'nixos-test'], true, []],
    [['kvm'], undefined, []],
    [['kvm'], false, ['is not true: the guest has no /dev/kvm']],
    [['nixos-test'], true, ['needs kvm']],
    [['nixos-test', 'kvm'], false, ['is not true: the guest has no /dev/kvm']],
  ] as const)('%j with kvm %s', (features, kvm, messages) =>
    expect(featureProblems(features, kvm).map(({ message }) => message)).toEqual(messages),
  );

  test('what is not known is said', () => {
    expect(featureWarnings(['kvm'], undefined)).toHaveLength(1);
    expect(featureWarnings(['kvm'], true)).toEqual([]);
    expect(featureWarnings(['benchmark'], undefined)).toEqual([]);
  });
});
