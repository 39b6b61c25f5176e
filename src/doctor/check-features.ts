/** The check of what Nix is told that the builder can do: the guest is asked. */
import { builderFeature } from '../config/config.ts';
import type { CheckVerdict } from './check-runner.ts';
import { extraSystemProblems } from '../nix/extra-systems.ts';
import { featureProblems } from '../nix/features.ts';
import type { DoctorFacts } from './facts.ts';
import { guestHasKvm, guestRunsI686 } from '../setup/guest-can.ts';
import { advice, ours, type Text } from '../system/advice.ts';

/** What is offered and not there, and what is there and not offered. */
export async function features({ layout, context, config }: DoctorFacts): Promise<CheckVerdict> {
  const kvm = await guestHasKvm(layout, context);
  const { features: offered, extraSystems } = config();
  const [wrong] = featureProblems(offered, kvm);
  if (wrong !== undefined)
    return {
      kind: 'bad',
      code: 'feature-missing',
      what: `The feature ${String(wrong.value)} ${wrong.message}.`,
      why: wrong.hint,
      remedy: offering(own(offered).filter((name) => name !== wrong.value)),
    };
  const runs = extraSystems.length > 0 ? await guestRunsI686(layout, context) : undefined;
  const [lost] = extraSystemProblems(config(), runs);
  if (lost !== undefined)
    return {
      kind: 'bad',
      code: 'system-missing',
      what: `${String(lost.value)} ${lost.message}.`,
      why: lost.hint,
      remedy: lostRemedy,
    };
  const fact = [...offered, ...extraSystems].join(', ');
  return kvm === true && !offered.includes('kvm')
    ? kvmNotOffered(fact, offered)
    : { kind: 'good', fact };
}

const kvmNotOffered = (fact: string, offered: readonly string[]): CheckVerdict => ({
  kind: 'note',
  code: 'kvm-not-offered',
  fact,
  why: kvmWords(offered),
});

/** A foreign system is registered, and the guest has nothing to run it by. */
export const lostRemedy = advice`${ours('image build')}, then ${ours('restart')}; or ${ours('configure', '--reset extra-systems')}`;

/** `offered`: the features of the settings. */
export const kvmWords = (offered: readonly string[]): Text =>
  advice`The guest has /dev/kvm. To offer it to Nix: ${offering([...own(offered), 'kvm'])}`;

const offering = (features: readonly string[]) => ours('configure', `-f ${features.join(',')}`);

/** Those that a flag names: ours is offered by itself. */
const own = (offered: readonly string[]): readonly string[] =>
  offered.filter((name) => name !== builderFeature);
