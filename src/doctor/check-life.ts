/** Checks of what lives: the job, the daemon, the VM, the guest, the door. */
import type { Check, Verdict } from './check-runner.ts';
import { versionIn } from '../domain/recognise.ts';
import { startDaemon } from '../client/background.ts';
import { waitUntilReady } from '../client/until-ready.ts';
import { traitsOf } from '../supervisor/lifecycle/phases.ts';
import { describeSlow } from '../supervisor/health/login.ts';
import { readIfThere } from '../system/files/files.ts';
import { identify } from '../system/process/process.ts';
import { givesBack } from './check-give-back.ts';
import { isAway, unlessAway, type DoctorFacts } from './facts.ts';
import { vmSays } from './check-host.ts';
import { namesAndCaches } from './check-caches.ts';
import { checkDoor } from './check-door.ts';
import { checkJob } from './check-job.ts';
import { leftJobCheck, leftJobChecks } from './check-job-left.ts';
import { serviceFor } from '../service/service.ts';

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
  { name: 'console', dependsOn: ['vm'], run: unlessAway(facts, () => console_(facts)) },
  { name: 'guest', dependsOn: ['console'], run: unlessAway(facts, () => guest(facts)) },
  { name: 'clock', dependsOn: ['guest'], run: unlessAway(facts, () => clock(facts)) },
  { name: 'gives back', dependsOn: ['guest'], run: unlessAway(facts, () => givesBack(facts)) },
  { name: 'door', dependsOn: ['guest'], run: () => checkDoor(facts) },
  {
    name: 'names and caches',
    dependsOn: ['door'],
    run: unlessAway(facts, () => namesAndCaches(facts)),
  },
];

async function daemon({ layout, context, find }: DoctorFacts): Promise<Verdict> {
  const found = await find();
  if (found.daemon === 'alive' && !found.heard) return notHeard(found.status.daemon.pid);
  if (found.daemon === 'alive')
    return { kind: 'good', fact: `pid ${found.status.daemon.pid}, ${found.status.phase}` };
  return {
    kind: 'bad',
    what: 'The daemon is not running.',
    why: found.last?.because?.message ?? '',
    remedy: 'linuxkit-builder start',
    fix: async () => {
      const service = serviceFor(layout, context);
      await startDaemon(layout, context, service === undefined ? undefined : () => service.start());
    },
  };
}

/** Stopped, or very busy: what it wrote last may be true no more. */
const notHeard = (pid: number): Verdict => ({
  kind: 'note',
  fact: `pid ${pid} does not respond`,
  why: 'The checks that follow use the last status that it wrote.',
});

function network({ status }: DoctorFacts): Verdict {
  const { network: name, networkPid } = status();
  if (networkPid === undefined)
    return { kind: 'not-asked', why: 'the VM program provides the network itself' };
  return identify(networkPid) === undefined
    ? {
        kind: 'bad',
        what: `${name ?? 'The network program'} (pid ${networkPid}) has exited.`,
        why: '',
        remedy: 'linuxkit-builder restart',
      }
    : { kind: 'good', fact: `${name ?? ''} pid ${networkPid}` };
}

async function vm(facts: DoctorFacts): Promise<Verdict> {
  const { status, driver } = facts;
  const { phase, because, sentence, vmPid, problems } = status();
  if (isAway(facts)) return { kind: 'note', fact: phase, why: sentence };
  if (traitsOf(phase).guest === 'none')
    return {
      kind: 'bad',
      what: because?.message ?? sentence,
      why: [...(because?.lines ?? []), ...(problems ?? []).map(({ message }) => message)].join(
        ' | ',
      ),
      remedy: because?.hint ?? 'linuxkit-builder start',
      seen: { program: driver().name, ...(await vmVersion(facts)) },
    };
  return vmPid === undefined
    ? { kind: 'note', fact: phase, why: 'The VM is about to start.' }
    : { kind: 'good', fact: `pid ${vmPid}` };
}

async function vmVersion(facts: DoctorFacts): Promise<{ readonly version?: string }> {
  const version = versionIn(await vmSays(facts));
  return version === undefined ? {} : { version };
}

function console_({ status, layout }: DoctorFacts): Verdict {
  const { phase, timeline, vmPid } = status();
  const last = timeline?.at(-1)?.name;
  if (traitsOf(phase).builds === 'now' || last !== undefined)
    return { kind: 'good', fact: last === undefined ? phase : `boot stage '${last}' reached` };
  if (vmPid === undefined)
    return { kind: 'note', fact: 'nothing yet', why: 'The VM is about to start.' };
  const size = readIfThere(layout.consoleRing)?.replaceAll('\0', '').trim().length ?? 0;
  return size > 0
    ? { kind: 'good', fact: 'the guest writes to it' }
    : {
        kind: 'bad',
        what: 'The guest has not written anything to its console.',
        why: 'Its kernel has probably not started.',
        remedy: 'linuxkit-builder console, then linuxkit-builder restart',
      };
}

/** Longer than any start that is going to succeed. */
const bootMs = 180_000;

async function guest({ status, find, layout, context }: DoctorFacts): Promise<Verdict> {
  const isComing = traitsOf(status().phase).builds === 'soon';
  const onSentence = (line: string) => context.err(`    ${line}`);
  if (isComing) await waitUntilReady(layout, { ...context, timeoutMs: bootMs, onSentence });
  await find();
  const { phase, sentence, health, login, last, because } = status();
  const { builds } = traitsOf(phase);
  if (builds === 'now')
    return health === 'slow' || health === 'frozen'
      ? { kind: 'note', fact: health, why: describeSlow(login) }
      : { kind: 'good', fact: 'login works, and nix-daemon in the guest answers' };
  return {
    kind: 'bad',
    what: `The guest is not ready. ${sentence}`,
    why: last?.message ?? '',
    // Whoever waits for one that has given up waits for ever.
    remedy: builds === 'never' ? (because?.hint ?? sentence) : 'linuxkit-builder wait',
  };
}

/** Files from the future break builds. */
const mostMs = 2_000;

function clock({ status }: DoctorFacts): Verdict {
  const { clockOffsetMs } = status();
  if (clockOffsetMs === undefined)
    return { kind: 'not-asked', why: 'the daemon has not measured it yet' };
  return Math.abs(clockOffsetMs) <= mostMs
    ? { kind: 'good', fact: `${clockOffsetMs} ms off this machine's` }
    : {
        kind: 'bad',
        what: `The guest's clock is ${(Math.abs(clockOffsetMs) / 1000).toFixed(1)} s ${clockOffsetMs < 0 ? 'behind' : 'ahead of'} this machine's.`,
        why: 'Files with times in the future break builds, and certificates may not be valid yet.',
        remedy: 'linuxkit-builder restart',
      };
}
