/** The words after scripts/chaos. */
import { parseArgs } from 'node:util';
import type { OnDemand } from './on-demand.ts';
import { vms, type VmProgramName } from './plan.ts';
import { sabotages, type SabotageName } from './sabotages.ts';

export type Asked =
  | {
      readonly kind: 'rounds';
      readonly rounds: number;
      readonly seed: number;
      /** By this program alone. */
      readonly vm?: VmProgramName;
    }
  | ({ readonly kind: 'on-demand' } & OnDemand)
  | { readonly kind: 'sabotage'; readonly names: readonly SabotageName[] }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly message: string };

export const help = `usage: scripts/chaos [--rounds N] [--seed S] [--vm NAME]
       scripts/chaos [--arrivals N [--after suspend|stop]] [--arrivals-each N] [--suspends N] [--seed S]
       scripts/chaos --sabotage NAME

Breaks the real thing: kills (SIGKILL) the daemon, the VM program or gvproxy, some of them frozen (SIGSTOP), some with a full disk
or without file descriptors, while a real nix builds in the real guest; then looks whether all is well. From round to round
another program runs the guest of the same disk: QEMU, and the stand-ins for vfkit and HyperKit.
Needs: scripts/test setup image.

  --rounds N       so many rounds that count (default 15: each phase meets each target). A round counts when something was
                   killed in the phase that was planned, with a build on its way.
  --seed S         the rounds that these were (default: drawn, and said)
  --vm NAME        one program for all rounds: ${vms.join(', ')}
  --arrivals N     kills nothing: so many builds arrive while the guest goes away, is away and comes back, and none may fail
  --after HOW      all of them come while the guest is away, which went so: suspend, or stop
  --arrivals-each N  as --arrivals: so many arrive in each step of a suspend and of a resume
  --suspends N     so many kills of the daemon, QEMU or both in each step of a suspend and of a resume: the next build is built, the
                   store is what its database says, and a guest that is away as a file has left a disk that is whole
                   These three may be given together: one builder plays all of them.
  --sabotage NAME  builds the program, or boots the guest, with one fault in it, and plays the round that must show it:
                   ${Object.keys(sabotages).join(', ')}, or all

exit codes: 0 nothing was violated (with --sabotage: the violation was found), 1 something was (it was not found), a build
            failed, or too many rounds did not count, 64 what was asked for cannot be understood
`;

/** What is asked for; chosen: the seed when none is given. */
export function readWords(argv: readonly string[], chosen: number): Asked {
  try {
    const { values } = parseArgs({ args: [...argv], options });
    if (values.help === true) return { kind: 'help' };
    if (values.sabotage !== undefined) return sabotageAsked(values.sabotage);
    const rounds = whole(values.rounds ?? '15');
    const seed = whole(values.seed ?? String(chosen));
    if (rounds === undefined || rounds === 0) return wrong('--rounds takes a number above 0.');
    if (seed === undefined) return wrong('--seed takes a whole number.');
    if (onDemandCounts.some((name) => values[name] !== undefined))
      return onDemandAsked(values, seed);
    const vm = vms.find((name) => name === values.vm);
    if (values.vm !== undefined && vm === undefined)
      return wrong(`--vm takes one of: ${vms.join(', ')}.`);
    return { kind: 'rounds', rounds, seed, ...(vm === undefined ? {} : { vm }) };
  } catch (error) {
    return wrong((error as Error).message);
  }
}

const options = {
  rounds: { type: 'string' },
  seed: { type: 'string' },
  vm: { type: 'string' },
  arrivals: { type: 'string' },
  after: { type: 'string' },
  'arrivals-each': { type: 'string' },
  suspends: { type: 'string' },
  sabotage: { type: 'string' },
  help: { type: 'boolean' },
} as const;

const onDemandCounts = ['arrivals', 'arrivals-each', 'suspends'] as const;

function onDemandAsked(
  values: Partial<Record<(typeof onDemandCounts)[number] | 'after', string>>,
  seed: number,
): Asked {
  const counts = onDemandCounts.map((name) => whole(values[name] ?? '0'));
  const wrongAt = onDemandCounts.find((name, n) => values[name] !== undefined && !counts[n]);
  if (wrongAt !== undefined) return wrong(`--${wrongAt} takes a number above 0.`);
  const [arrivals = 0, arrivalsEach = 0, suspends = 0] = counts;
  const { after } = values;
  if (after !== undefined && after !== 'suspend' && after !== 'stop')
    return wrong('--after takes one of: suspend, stop.');
  if (after === 'stop' && arrivalsEach + suspends > 0)
    return wrong('--after stop goes with --arrivals alone: a guest that is stopped has no steps.');
  const common = { kind: 'on-demand', seed, arrivals, arrivalsEach, suspends } as const;
  return after === undefined ? common : { ...common, after };
}

/** The words that ask for the same again. */
export function wordsFor({ seed, arrivals, after, arrivalsEach, suspends }: OnDemand): string {
  return [
    ...(arrivals > 0 ? ['--arrivals', arrivals] : []),
    ...(after === undefined ? [] : ['--after', after]),
    ...(arrivalsEach > 0 ? ['--arrivals-each', arrivalsEach] : []),
    ...(suspends > 0 ? ['--suspends', suspends] : []),
    '--seed',
    seed,
  ].join(' ');
}

function sabotageAsked(word: string): Asked {
  const known = Object.keys(sabotages) as SabotageName[];
  const names = word === 'all' ? known : known.filter((name) => name === word);
  return names.length > 0
    ? { kind: 'sabotage', names }
    : wrong(`--sabotage takes one of: ${known.join(', ')}, all.`);
}

const wrong = (message: string): Asked => ({ kind: 'wrong', message });

const whole = (text: string): number | undefined =>
  /^\d{1,10}$/.test(text) ? Number(text) : undefined;
