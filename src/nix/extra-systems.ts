/** Systems beside the guest's own that a builder is to offer: only what the guest was seen to run. Pure. */
import type { Config } from '../config/config.ts';
import type { Problem } from '../domain/problem.ts';
import { extraSystemsOf } from '../domain/guest-system.ts';
import { advice, ours, type Text } from '../system/advice.ts';

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
      return problem(`cannot be run by a guest of ${system}`, 'Leave it out.');
    return runs === false
      ? problem(
          'does not work: the guest could not run a program of that system',
          'Leave it out: builds for it would be sent here and fail. It needs a guest kernel with CONFIG_IA32_EMULATION.',
        )
      : [];
  });

/** What cannot be known yet. */
export const extraSystemWarnings = (
  { extraSystems }: Asked,
  runs: boolean | undefined,
): readonly Text[] =>
  extraSystems.length > 0 && runs === undefined
    ? [
        advice`It is not known yet whether the guest can run ${extraSystems.join(', ')} programs. Once the guest is ready, ${ours('status')} reports it if it cannot.`,
      ]
    : [];

/** In two or three sentences: builds would come and fail. */
export const describeLost = (systems: readonly string[]): Text =>
  advice`The guest cannot run ${systems.join(', ')} programs, but it is registered with Nix for them, so such builds fail. ${regainHint}`;

/** What helps where a guest no longer runs the programs of a system. */
export const regainHint = advice`A new image may be able to (${ours('image build')}). Otherwise run: ${ours('configure', '--reset extra-systems')}`;
