import { describe, expect, test } from 'vitest';
import { featureProblems, featureWarnings } from '../../src/nix/features.ts';

describe('features are the truth', () => {
  test.each([
    [['big-parallel'], false, []],
    [['kvm', 'nixos-test'], true, []],
    [['kvm'], undefined, []],
    [['kvm'], false, ['kvm']],
    [['nixos-test'], true, ['nixos-test']],
    [['nixos-test', 'kvm'], false, ['kvm']],
  ] as const)('%j with kvm %s', (features, kvm, wrong) =>
    expect(featureProblems(features, kvm).map(({ value }) => value)).toEqual(wrong),
  );

  // Behaviour 141: A feature is not offered if the guest's Nix does not have it, or if its name is a misspelling of
  // one of Nix's features.
  test.each(['ca-derivations', 'recursive-nix', 'uid-range', 'apple-virt'])(
    "%s is refused: the guest's Nix cannot do it, whatever its line says",
    (name) => {
      const [problem, ...more] = featureProblems(['benchmark', name], undefined);
      expect(more).toEqual([]);
      expect(problem).toMatchObject({ path: 'features', value: name });
    },
  );

  test.each([
    ['big-paralel', 'big-parallel'],
    ['big_parallel', 'big-parallel'],
    ['bigparallel', 'big-parallel'],
    ['Big-Parallel', 'big-parallel'],
    ['benchmarks', 'benchmark'],
    ['bencmhark', 'benchmark'],
    ['kmv', 'kvm'],
    ['KVM', 'kvm'],
    ['nixos-tests', 'nixos-test'],
    ['ca-derivation', 'ca-derivations'],
    ['recursive_nix', 'recursive-nix'],
  ])('%s is refused: %s is meant', (word, meant) =>
    expect(featureProblems([word], true)).toEqual([
      expect.objectContaining({ value: word, hint: `Use ${meant}.` }),
    ]),
  );

  test.each(['gccarch-x86-64-v3', 'our-lab', 'gpu', 'big', 'parallel', 'linuxkit-builder', 'x'])(
    "%s is somebody's own word",
    (word) => expect(featureProblems([word], true)).toEqual([]),
  );

  test('what is not known is said', () => {
    expect(featureWarnings(['kvm'], undefined)).toHaveLength(1);
    expect(featureWarnings(['kvm'], true)).toEqual([]);
    expect(featureWarnings(['benchmark'], undefined)).toEqual([]);
  });
});
