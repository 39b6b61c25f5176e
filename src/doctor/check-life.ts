/** Checks of what lives: the job, the daemon, network and VM, the guest, the door. */
import type { Check, CheckVerdict } from './check-runner.ts';
import { versionIn } from '../domain/recognise.ts';
import { startDaemon } from '../client/background.ts';
import { traitsOf } from '../supervisor/lifecycle/phases.ts';
import { identify } from '../system/process/process.ts';
import { givesBack, suspendsNoMore } from './check-give-back.ts';
import { isAway, throughDoor, unlessAway, type DoctorFacts } from './facts.ts';
import { vmSays } from './host/check-programs.ts';
import { namesAndCaches } from './check-caches.ts';
import { checkDoor } from './check-door.ts';
import { checkClock, checkConsole, checkGuest } from './check-guest.ts';
import { checkJob } from './check-job.ts';
import { leftJobCheck, leftJobChecks } from './check-job-left.ts';
import { serviceFor } from '../service/service.ts';
import { joinTexts, ours } from '../system/advice.ts';

/** What asks the guest, or passes through the door to it, is left out while there is none because nobody needs one. */
export const lifeChecks = (facts: DoctorFacts): readonly Check[] => [
  ...leftJobChecks(facts),
  { name: 'login job', dependsOn: ['settings', leftJobCheck], run: () => checkJob(facts) },
  {
    name: 'daemon',
    dependsOn: ['settings', 'programs', 'state directory', 'locks', 'image'],
    run: () => daemon(facts),
  },
  { name: 'network', dependsOn: ['daemon'], run: unlessAway(facts, () => network(facts)) },
  { name: 'vm', dependsOn: ['daemon', 'network'], run: () => vm(facts) },
  { name: 'console', dependsOn: ['vm'], run: unlessAway(facts, () => checkConsole(facts)) },
  { name: 'guest', dependsOn: ['console'], run: unlessAway(facts, () => checkGuest(facts)) },
  { name: 'clock', dependsOn: ['guest'], run: unlessAway(facts, () => checkClock(facts)) },
  {
    name: 'gives back',
    dependsOn: ['guest'],
    run: () => suspendsNoMore(facts.status()) ?? unlessAway(facts, () => givesBack(facts))(),
  },
  { name: 'door', dependsOn: ['guest'], run: () => checkDoor(facts) },
  {
    name: 'names and caches',
    dependsOn: ['door'],
    run: throughDoor(facts, () => namesAndCaches(facts)),
  },
];

async function daemon({ layout, context, find }: DoctorFacts): Promise<CheckVerdict> {
  const found = await find();
  if (found.daemon === 'alive' && !found.heard) return notHeard(found.status.daemon.pid);
  if (found.daemon === 'alive')
    return { kind: 'good', fact: `pid ${found.status.daemon.pid}, ${found.status.phase}` };
  return {
    kind: 'bad',
    code: 'daemon-not-running',
    what: 'The daemon is not running.',
    why: found.last?.because?.message ?? '',
    remedy: ours('start'),
    fix: async () => {
      const service = serviceFor(layout, context);
      await startDaemon(layout, context, service === undefined ? undefined : () => service.start());
    },
  };
}

/** Stopped, or very busy: what it wrote last may be true no more. */
const notHeard = (pid: number): CheckVerdict => ({
  kind: 'note',
  code: 'daemon-not-heard',
  fact: `pid ${pid} does not respond`,
  why: 'The checks that follow use the last status that it wrote.',
});

function network({ status }: DoctorFacts): CheckVerdict {
  const { network: name, networkPid } = status();
  if (networkPid === undefined)
    return {
      kind: 'not-asked',
      code: 'network-built-in',
      why: 'the VM program provides the network itself',
    };
  return identify(networkPid) === undefined
    ? {
        kind: 'bad',
        code: 'network-exited',
        what: `${name ?? 'The network program'} (pid ${networkPid}) has exited.`,
        why: '',
        remedy: ours('restart'),
      }
    : { kind: 'good', fact: `${name ?? ''} pid ${networkPid}` };
}

async function vm(facts: DoctorFacts): Promise<CheckVerdict> {
  const { phase, sentence, vmPid } = facts.status();
  if (isAway(facts)) return { kind: 'note', code: 'guest-away', fact: phase, why: sentence };
  if (traitsOf(phase).guest === 'none') return notRunning(facts);
  return vmPid === undefined
    ? { kind: 'note', code: 'vm-to-start', fact: phase, why: 'The VM is about to start.' }
    : { kind: 'good', fact: `pid ${vmPid}` };
}

async function notRunning(facts: DoctorFacts): Promise<CheckVerdict> {
  const { status, driver } = facts;
  const { because, sentence, problems } = status();
  return {
    kind: 'bad',
    code: 'vm-not-running',
    ...(because && { failure: because.kind }),
    what: because?.message ?? sentence,
    why: joinTexts(
      [...(because?.lines ?? []), ...(problems ?? []).map(({ message }) => message)],
      ' | ',
    ),
    remedy: because?.hint ?? ours('start'),
    seen: { program: driver().name, ...(await vmVersion(facts)) },
  };
}

async function vmVersion(facts: DoctorFacts): Promise<{ readonly version?: string }> {
  const version = versionIn(await vmSays(facts));
  return version === undefined ? {} : { version };
}
