/** Systems beside the guest's own that a builder is to offer: only what the guest was seen to run. Pure. */
import type { Config } from '../config/config.ts';
import type { Problem } from '../domain/problem.ts';
import { extraSystemsOf } from '../domain/guest-system.ts';

type Asked = Pick<Config, 'system' | 'extraSystems'>;

/** What is wrong with offering these; `runs`: whether the guest ran a program of theirs, undefined where it could not be asked. */
export const extraSystemProblems = (
  { system, extraSystems }: Asked,
  runs: boolean | undefined,
): readonly Problem[] =>
  extraSystems.flatMap((value) => {
    const problem = (message: string, hint: string) => [
      { path: 'extraSystems', value, message, hint },
    ];
    if (!extraSystemsOf[system].includes(value))
      return problem(`is nothing that a guest of ${system} runs`, 'Leave it out.');
    return runs === false
      ? problem(
          'is not true: the guest ran no program of it',
          'Leave it out: builds for it would come here and fail. Its kernel needs CONFIG_IA32_EMULATION.',
        )
      : [];
  });

/** What cannot be known yet. */
export const extraSystemWarnings = (
  { extraSystems }: Asked,
  runs: boolean | undefined,
): readonly string[] =>
  extraSystems.length > 0 && runs === undefined
    ? [
        `Whether the guest runs programs of ${extraSystems.join(', ')} is not known while it is not ready. When it is, status says so if it does not.`,
      ]
    : [];

/** In a sentence: builds would come and fail. */
export const describeLost = (systems: readonly string[]): string =>
  `The guest runs no programs of ${systems.join(', ')}, which Nix is told it builds: such builds fail. Another image may (linuxkit-builder image build); else: linuxkit-builder configure --reset extra-systems`;
