/** Our daemon as a job of launchd: the plans of launchd.ts, performed. */
import { type Stats } from 'node:fs';
import { run, type CommandResult } from '../../system/process/child.ts';
import type { Clock } from '../../system/time/clock.ts';
import { Failed } from '../../system/failure.ts';
import type { DeclaredJob } from '../declared-job.ts';
import { meaningOf, type JobState, type LaunchctlReply } from './launchctl.ts';
import { halt, kick, load, unload } from './launchd.ts';
import type { LaunchctlPlan } from './launchctl-plan.ts';
import { findJob, findSystemJob, findTarget, systemDomain } from './find-job.ts';
import {
  doesNotLeave,
  fileFailure,
  noSession,
  notLoaded,
  rootRefused,
  troubleFailure,
  type PlistFacts,
} from './launchd-failures.ts';
import type { Service, ServiceState } from '../keeper.ts';
import { linkStatsIfThere } from '../../system/stats.ts';

interface LaunchdOptions {
  readonly uid: number;
  readonly plist: string;
  /** Absolute path of launchctl. */
  readonly launchctl: string;
  /** True when the plist is another than the one that was loaded. */
  readonly isChanged: () => boolean;
  readonly onLoaded: () => void;
  /** The system's own job, at boot: what changes it is root's. Absent for one of a user's session. */
  readonly isSystem?: boolean;
  /** Puts before a command what makes it root's, and says so. */
  readonly asRoot?: (argv: readonly string[]) => readonly string[];
  /** Whose job it is where it is not ours. */
  readonly declared?: DeclaredJob;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** `uid`: whose session it is in. */
export function launchdService(options: LaunchdOptions): Service {
  const { uid, plist, isChanged, onLoaded, isSystem = false, declared } = options;
  const go = <T>(plan: LaunchctlPlan<T>): Promise<T> => perform(plan, options);
  const find = () => go(isSystem ? findSystemJob() : findJob(uid));
  const place = isSystem ? ({ kind: 'modern', domain: systemDomain } as const) : undefined;
  return {
    name: 'launchd',
    starts: isSystem ? 'boot' : 'login',
    ...(declared && { declared }),
    isChanged,
    state: async () => stateOf(await find()),
    async start() {
      const job = await find();
      if (job !== undefined && !isChanged()) {
        const trouble = await go(kick(job.target));
        if (trouble === undefined) return;
      }
      if (declared !== undefined) throw new Failed(notLoaded(declared));
      const bad = fileFailure(plist, factsOf(plist), isSystem);
      if (bad !== undefined) throw new Failed(bad);
      const target = job?.target ?? place ?? (await go(findTarget(uid)));
      if (target === undefined) throw new Failed(noSession);
      const trouble = await go(load(target, plist));
      if (trouble !== undefined) throw new Failed(troubleFailure(trouble, plist, isSystem));
      onLoaded();
    },
    async stop() {
      const job = await find();
      if (job === undefined) return false;
      if ((await go(halt(job.target))) === 'still-there') throw new Failed(doesNotLeave(isSystem));
      return true;
    },
    async remove() {
      if (declared !== undefined) return;
      const job = await find();
      if (job !== undefined && !(await go(unload(job.target))))
        throw new Failed(doesNotLeave(isSystem));
    },
  };
}

/** Makes a plan's calls one after the other. Failed `root-refused` where one of them is root's, and we do not become root. */
async function perform<T>(
  plan: LaunchctlPlan<T>,
  options: Pick<LaunchdOptions, 'launchctl' | 'clock' | 'signal' | 'isSystem' | 'asRoot'>,
): Promise<T> {
  const {
    launchctl,
    clock,
    signal,
    isSystem = false,
    asRoot = (argv: readonly string[]) => argv,
  } = options;
  let reply: LaunchctlReply = { code: 0, stdout: '', stderr: '' };
  for (;;) {
    const step = plan.next(reply);
    if (step.done === true) return step.value;
    if (step.value.type === 'sleep') await clock.sleep(step.value.ms, signal);
    else {
      const { argv } = step.value;
      // Everybody may look.
      const isLook = ['print', 'list'].includes(argv[0] ?? '');
      const call = [launchctl, ...argv];
      const [program = '', ...rest] = isSystem && !isLook ? asRoot(call) : call;
      // A password may be asked for.
      const timeoutMs = program === launchctl ? 30_000 : 300_000;
      const ran = await run(program, rest, { timeoutMs, signal });
      signal.throwIfAborted();
      reply = replyOf(ran);
      // What launchd itself refuses it has a code for. A call more would only be refused again, and nothing is to be waited for.
      if (program !== launchctl && ['other', 'missing'].includes(meaningOf(reply)))
        throw new Failed(rootRefused([program, ...rest], reply));
    }
    signal.throwIfAborted();
  }
}

const replyOf = ({ ended, stdout, stderr }: CommandResult): LaunchctlReply => ({
  code: ended.kind === 'exited' ? ended.code : undefined,
  stdout,
  stderr,
});

/** How a run ended is told only where it did not end in order. */
export function stateOf(job: { readonly state: JobState } | undefined): ServiceState {
  if (job?.state.loaded !== true) return { loaded: false, running: false };
  const { running, returning, pid, lastExit, lastSignal } = job.state;
  const ended =
    lastSignal !== undefined
      ? `by signal ${lastSignal}`
      : lastExit !== undefined && lastExit !== 0
        ? `with exit code ${lastExit}`
        : undefined;
  return {
    loaded: true,
    // One that launchd is about to start again has not stopped.
    running: running || returning,
    ...(pid === undefined ? {} : { pid }),
    ...(ended === undefined ? {} : { ended }),
    ...(lastSignal !== undefined || lastExit === undefined ? {} : { exitCode: lastExit }),
  };
}

function factsOf(plist: string): PlistFacts {
  const stats: Stats | undefined = linkStatsIfThere(plist);
  if (stats === undefined) return { kind: 'missing', mode: 0, uid: 0 };
  return { kind: stats.isFile() ? 'file' : 'other', mode: stats.mode & 0o7777, uid: stats.uid };
}
