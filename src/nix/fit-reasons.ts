/** Whether the builder's line in Nix's list takes a derivation: by its system, and by the features that it requires. Pure. */
import { extraSystemsOf } from '../domain/guest-system.ts';
import { regainHint } from './extra-systems.ts';
import { misspelt, missingInGuest } from './features.ts';
import type { MachinesEntry } from './machines.ts';
import { advice, ours, type Text } from '../system/advice.ts';

/** One condition, held or not, with what helps. */
export interface Reason {
  readonly holds: boolean;
  readonly text: string;
  readonly remedy?: Text;
}

/** As a remedy. */
export const configure = ours('configure');

interface Asked {
  readonly system: string;
  readonly features: readonly string[];
}

/** `lost`: systems of the line that the guest was seen not to run. */
export function fitReasons(
  { system, features }: Asked,
  { ours, lost }: { readonly ours: MachinesEntry | undefined; readonly lost?: readonly string[] },
): Reason[] {
  if (ours === undefined) return [];
  const reserved = ours.mandatory.filter((feature) => !features.includes(feature));
  return [
    systemReason(system, ours.systems),
    ...(lost?.includes(system) === true
      ? [
          {
            holds: false,
            text: `the guest cannot run ${system} programs`,
            remedy: regainHint,
          },
        ]
      : []),
    featureReason(features, ours),
    ...(reserved.length === 0 ? [] : [reservedReason(reserved)]),
  ];
}

function systemReason(system: string, ours: readonly string[]): Reason {
  if (system === 'builtin') return { holds: true, text: 'it can be built on any system' };
  return ours.includes(system)
    ? { holds: true, text: `it is for ${system}, which the builder supports` }
    : {
        holds: false,
        text: `it is for ${system}, but the builder supports only ${ours.join(', ')}`,
        remedy: otherSystem(system, ours),
      };
}

/** What its guest may run is offered where it does; anything else is another machine's. */
const otherSystem = (system: string, ours: readonly string[]): Text =>
  Object.entries(extraSystemsOf).some(
    ([own, more]) => ours.includes(own) && more.some((name) => name === system),
  )
    ? advice`If the guest can run that, which is tested, run: ${configure} --extra-systems ${system}`
    : `Build it for the builder's system: --system ${ours[0] ?? ''}, or --argstr system ${ours[0] ?? ''}`;

/** What the line offers, less what a guest cannot do whatever the line says. */
function featureReason(features: readonly string[], ours: MachinesEntry): Reason {
  const impossible = features.filter((feature) => missingInGuest(feature) !== undefined);
  if (impossible.length > 0)
    return {
      holds: false,
      text: `it requires ${impossible.join(', ')}, which the builder cannot provide`,
      remedy: impossible.map((name) => `${name} ${missingInGuest(name)}.`).join(' '),
    };
  const offered = [...ours.features, ...ours.mandatory];
  const lacking = features.filter((feature) => !offered.includes(feature));
  if (lacking.length === 0)
    return {
      holds: true,
      text: `it requires ${features.length === 0 ? 'no features' : features.join(', ')}`,
    };
  return {
    holds: false,
    text: `it requires ${lacking.join(', ')}, which the builder does not offer`,
    remedy: offering(lacking, ours),
  };
}

function offering(lacking: readonly string[], ours: MachinesEntry): Text {
  if (lacking.includes('kvm')) return 'The builder offers kvm only if the guest has /dev/kvm.';
  const meant = lacking.flatMap((name) => {
    const known = misspelt(name);
    return known === undefined ? [] : [`Nix has no feature ${name}; did you mean ${known}?`];
  });
  return meant.length > 0
    ? `${meant.join(' ')} If so, fix the derivation.`
    : advice`If the guest can provide that, run: ${configure} -f ${[...ours.features, ...lacking].join(',')}`;
}

const reservedReason = (features: readonly string[]): Reason => ({
  holds: false,
  text: `the list reserves the builder for builds that require ${features.join(', ')}`,
  remedy: advice`Put - in column 7 of its line, or run: ${configure}`,
});
