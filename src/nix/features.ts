/** Features that are only true of some guests: not offered unless the guest can do them. Pure. */
import type { Problem } from '../domain/problem.ts';
import { advice, ours, type Text } from '../system/advice.ts';

/** What is wrong with offering these; `kvm` is whether the guest has it, undefined where it could not be asked. */
export function featureProblems(
  features: readonly string[],
  kvm: boolean | undefined,
): readonly Problem[] {
  const problem = (value: string, message: string, hint: string): Problem => ({
    path: 'features',
    value,
    message,
    hint,
  });
  const asks = (name: string) => features.includes(name);
  const leaveOut = 'Leave it out: builds that need it would be sent here and fail.';
  return [
    ...features.flatMap((name) => {
      const why = missingInGuest(name);
      if (why !== undefined) return [problem(name, why, leaveOut)];
      const meant = misspelt(name);
      return meant === undefined
        ? []
        : [problem(name, `is not a feature that Nix knows; ${meant} is`, `Use ${meant}.`)];
    }),
    ...(asks('nixos-test') && !asks('kvm')
      ? [
          problem(
            'nixos-test',
            'needs kvm',
            'NixOS tests run virtual machines. Offer kvm too, if the guest has it.',
          ),
        ]
      : []),
    ...(asks('kvm') && kvm === false
      ? [problem('kvm', 'does not work: the guest has no /dev/kvm', leaveOut)]
      : []),
  ];
}

/** What cannot be known yet. */
export const featureWarnings = (features: readonly string[], kvm: boolean | undefined): Text[] =>
  features.includes('kvm') && kvm === undefined
    ? [
        advice`It is not known yet whether the guest has /dev/kvm. Once the guest is ready, run: ${ours('doctor')}`,
      ]
    : [];

/**
 * What a build that requires a feature would miss in the guest, whatever its line says: Nix asks for an experimental feature or a
 * setting as well, and the guest's has none of these turned on. Undefined for what it takes as a word and no more.
 */
export const missingInGuest = (name: string): string | undefined =>
  Object.hasOwn(missing, name) ? missing[name] : undefined;

const experimental = (name: string) =>
  `needs the experimental feature ${name}, which is not enabled in the guest's Nix`;

/** Nix, libstore: derivation-options.cc, unix/build, store-api.cc (getDefaultSystemFeatures). */
const missing: Readonly<Record<string, string>> = {
  'ca-derivations': experimental('ca-derivations'),
  'recursive-nix': experimental('recursive-nix'),
  'uid-range': "needs auto-allocate-uids, which is not enabled in the guest's Nix",
  'apple-virt': 'exists only on macOS, but the guest runs Linux',
};

/** Features that Nix and Nixpkgs know. Any other word is somebody's own. */
const known = ['benchmark', 'big-parallel', 'kvm', 'nixos-test', ...Object.keys(missing)];

/** The known feature that a word is meant to be, if it is nearly one: by case, `_`, a letter or two neighbours. */
export function misspelt(word: string): string | undefined {
  if (known.includes(word)) return undefined;
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-_]/g, '');
  return known.find((name) => plain(name) === plain(word) || isOneSlipFrom(name, word));
}

/** One letter too many, too few or another, or two neighbours exchanged. */
function isOneSlipFrom(name: string, word: string): boolean {
  let head = 0;
  while (head < name.length && name[head] === word[head]) head++;
  const [a, b] = [name.slice(head), word.slice(head)];
  return (
    a.slice(1) === b ||
    a === b.slice(1) ||
    a.slice(1) === b.slice(1) ||
    (a[0] === b[1] && a[1] === b[0] && a.slice(2) === b.slice(2))
  );
}
