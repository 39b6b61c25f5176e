/** Checks of the way from Nix to the guest: ssh as nix-daemon calls it, Nix's settings, a build. */
import { nativeSystem } from '../domain/guest-system.ts';
import { counted } from '../domain/counted.ts';
import type { Check, CheckVerdict } from './check-runner.ts';
import { nixConflicts } from '../nix/conflicts.ts';
import { ourEntryIn, withIncluded } from '../nix/machines.ts';
import { describeNix } from '../nix/variant.ts';
import { alias } from '../nix/ssh/stanza.ts';
import { listFaultsOf } from '../nix/warnings.ts';
import { OthersFiles } from '../system/files/others-files.ts';
import { shellWord } from '../system/shell.ts';
import { throughDoor, type DoctorFacts } from './facts.ts';
import { asQuestion } from './ssh/as-question.ts';
import { checkBuild } from './check-build.ts';
import { features } from './check-features.ts';
import { rootsFiles, yourFiles } from './check-files.ts';
import { sshAs } from './ssh/check-ssh.ts';
import { ours } from '../system/advice.ts';

/** The last of them is a build, which rests on all of the way. */
export const nixChecks = (facts: DoctorFacts): readonly Check[] => [
  { name: 'your files', dependsOn: ['keys'], run: () => yourFiles(facts) },
  { name: "root's files", dependsOn: ['keys'], run: () => rootsFiles(facts) },
  {
    name: 'ssh as you',
    dependsOn: ['door', 'your files'],
    run: throughDoor(facts, () => sshAs(facts, 'user')),
  },
  {
    name: 'ssh as root',
    dependsOn: ['door', "root's files"],
    run: throughDoor(facts, () => sshAs(facts, 'root')),
  },
  { name: 'features', dependsOn: ['ssh as you'], run: asQuestion(facts, () => features(facts)) },
  { name: 'nix', dependsOn: [], run: () => nix(facts) },
  { name: 'nix settings', dependsOn: ['nix', 'settings'], run: () => nixSettings(facts) },
  { name: 'machines line', dependsOn: ["root's files"], run: () => machinesLine(facts) },
  {
    name: 'build',
    dependsOn: ['ssh as you', 'ssh as root', 'nix settings', 'machines line'],
    run: throughDoor(facts, () => checkBuild(facts)),
  },
];

const configure = ours('configure');

async function nix({ nix, systemPaths }: DoctorFacts): Promise<CheckVerdict> {
  const variant = await nix();
  if (variant === undefined)
    return {
      kind: 'bad',
      code: 'nix-missing',
      what: 'Nix is not installed on this machine.',
      why: `Neither a nix program nor /nix was found; its settings would be in ${systemPaths.etcNix}.`,
      remedy: 'Install it: https://nixos.org/download',
    };
  return variant.broken === undefined
    ? { kind: 'good', fact: describeNix(variant) }
    : {
        kind: 'bad',
        code: 'nix-broken',
        what: 'The nix program does not run, not even without any settings.',
        why: variant.broken,
        remedy: 'Reinstall Nix: https://nixos.org/download',
      };
}

async function nixSettings(facts: DoctorFacts): Promise<CheckVerdict> {
  const { context, systemPaths, tree, config, nix } = facts;
  const { system } = config();
  const [worst, ...others] = nixConflicts({
    systemPaths,
    tree,
    variant: await nix(),
    system,
    ownSystem: process.platform === 'linux' ? nativeSystem(process.arch) : undefined,
    env: context.env,
  });
  if (worst === undefined) return noConflict;
  const why = [worst.hint, ...others.flatMap(({ message, hint }) => [message, hint])]
    .map((words) => (/[.!?)]$/.test(words) ? words : `${words}.`))
    .join(' ');
  return worst.weight === 'no-builds'
    ? {
        kind: 'bad',
        code: 'nix-conflict',
        what: worst.message,
        why: others.map(({ message }) => message).join(' '),
        remedy: worst.hint,
        ...(worst.quotes !== undefined && { quotes: worst.quotes }),
      }
    : { kind: 'note', code: 'nix-conflict', fact: worst.message, why };
}

/** None of those that {@link nixConflicts} knows. */
export const noConflict: CheckVerdict = {
  kind: 'good',
  fact: 'no setting sends builds elsewhere',
};

/** Half a sentence of a file of root's. `why`: the system's word for it. */
export const onlyByRoot = (path: string, why: string): string =>
  `${path} cannot be read (${why}), except by root`;

async function machinesLine({
  context,
  systemPaths,
  tree,
  nix,
}: DoctorFacts): Promise<CheckVerdict> {
  const { machines: path } = systemPaths.roots;
  const others = new OthersFiles();
  const text = others.read(path) ?? '';
  const why = others.unread.get(path);
  if (why !== undefined)
    return { kind: 'not-asked', code: 'machines-unreadable', why: onlyByRoot(path, why) };
  const variant = await nix();
  const [bad] = listFaultsOf({ systemPaths, tree, variant, env: context.env }, others);
  if (bad === undefined) return entryVerdict(path, withIncluded(text, others.read));
  return {
    kind: 'bad',
    code: 'machines-invalid',
    what: bad.words,
    why: '',
    remedy: listRemedy(bad.file, variant?.restart),
  };
}

/** `where`: a file, or a variable and who has it. nix-daemon is told of that when it starts. */
export function listRemedy(where: string, restart: string | undefined): string {
  if (where.startsWith('/')) return `sudo $EDITOR ${shellWord(where)}`;
  return `Fix that builder or remove it.${restart === undefined ? '' : ` Then: ${restart}`}`;
}

function entryVerdict(path: string, list: string): CheckVerdict {
  const ours = ourEntryIn(list);
  return ours === undefined
    ? noLine(path)
    : { kind: 'good', fact: `${counted(ours.maxJobs, 'job')}; ${ours.features.join(', ')}` };
}

const noLine = (path: string): CheckVerdict => ({
  kind: 'bad',
  code: 'machines-line-missing',
  what: `${path} has no line for ${alias}.`,
  why: '',
  remedy: configure,
});
