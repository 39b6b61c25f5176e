/** Features that are only true of some guests: not offered unless the guest can do them. Pure. */
import type { Problem } from '../config/problem.ts';

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
  return [
    ...(asks('nixos-test') && !asks('kvm')
      ? [
          problem(
            'nixos-test',
            'needs kvm',
            'NixOS tests run virtual machines: offer kvm too, where the guest has it.',
          ),
        ]
      : []),
    ...(asks('kvm') && kvm === false
      ? [
          problem(
            'kvm',
            'is not true: the guest has no /dev/kvm',
            'Leave it out: builds that need it would come here and fail.',
          ),
        ]
      : []),
  ];
}

/** What cannot be known yet. */
export const featureWarnings = (features: readonly string[], kvm: boolean | undefined): string[] =>
  features.includes('kvm') && kvm === undefined
    ? [
        'Whether the guest has /dev/kvm is not known while it is not ready. When it is, run: linuxkit-builder doctor',
      ]
    : [];
