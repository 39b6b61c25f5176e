/** Checks of what lies on this machine: programs, settings, files, the image. */
import type { Config } from '../../config/config.ts';
import { notSetUp } from '../../config/not-set-up.ts';
import { readSettings } from '../../config/read-settings.ts';
import { counted } from '../../domain/counted.ts';
import { describeProblem, type Problem } from '../../domain/problem.ts';
import { setUpAdvice } from '../../host/for-everybody.ts';
import { joinTexts } from '../../system/advice.ts';
import { hostFacts } from '../../system/host/host.ts';
import { checkLoopback } from '../check-door.ts';
import type { Check, CheckVerdict } from '../check-runner.ts';
import type { DoctorFacts } from '../facts.ts';
import { diskSpace } from './check-disk.ts';
import { checkAccelerator, checkImage } from './check-image.ts';
import { checkNode, checkPrograms, checkVersions } from './check-programs.ts';
import { checkKeys, checkLocks, checkStateDirectory } from './check-state.ts';

/** None of them needs a daemon, a guest or Nix. */
export const machineChecks = (facts: DoctorFacts): readonly Check[] => [
  { name: 'settings', dependsOn: [], run: () => settings(facts) },
  { name: 'programs', dependsOn: ['settings'], run: () => checkPrograms(facts) },
  { name: 'versions', dependsOn: ['programs'], run: () => checkVersions(facts) },
  { name: 'node', dependsOn: ['programs'], run: () => checkNode() },
  {
    name: 'state directory',
    dependsOn: ['settings'],
    run: () => checkStateDirectory(facts.layout),
  },
  { name: 'loopback', dependsOn: ['settings'], run: () => checkLoopback(facts) },
  { name: 'locks', dependsOn: ['state directory'], run: () => checkLocks(facts.layout) },
  {
    name: 'disk space',
    dependsOn: ['state directory'],
    run: () => diskSpace(facts.layout, facts.config()),
  },
  { name: 'keys', dependsOn: ['state directory'], run: () => checkKeys(facts.layout) },
  { name: 'image', dependsOn: ['settings'], run: () => checkImage(facts) },
  { name: 'accelerator', dependsOn: ['programs', 'image'], run: () => checkAccelerator(facts) },
];

function settings({ layout, context }: DoctorFacts): CheckVerdict {
  const { config, problems, isMissing } = readSettings(layout);
  if (config !== undefined)
    return { kind: 'good', fact: settingsWords(config, hostFacts(layout.root)) };
  if (isMissing === true) {
    return {
      kind: 'bad',
      code: 'not-set-up',
      what: notSetUp(layout).message,
      why: `${layout.config} does not exist.`,
      remedy: setUpAdvice(context.env),
    };
  }
  return {
    kind: 'bad',
    code: 'settings-invalid',
    what: 'config.json cannot be used.',
    why: joinTexts(problems.map(describeProblem), ' '),
    remedy: `Correct ${layout.config}`,
    ...quotesOf(problems),
  };
}

function quotesOf(problems: readonly Problem[]): { readonly quotes?: string } {
  const quotes = problems.flatMap((problem) => problem.quotes ?? []);
  return quotes.length === 0 ? {} : { quotes: quotes.join(' ') };
}

/** With how much memory there is to be had, and where a limit says so. */
export function settingsWords(
  { system, cpus, memoryMiB, door, port }: Config,
  host: Pick<ReturnType<typeof hostFacts>, 'memoryMiB' | 'isLimited'>,
): string {
  const limit = host.isLimited ? ' (limited by a container or slice)' : '';
  const where = door === 'tcp' ? `port ${port}` : 'a Unix socket';
  return `${system}, ${counted(cpus, 'CPU')}, ${memoryMiB} MiB of ${host.memoryMiB}${limit}, ${where}`;
}
