/** Our daemon as a job of launchd: the plans of launchd.ts, performed. */
import { lstatSync, type Stats } from 'node:fs';
import { run, type Ran } from '../system/child.ts';
import type { Clock } from '../system/clock.ts';
import { Exit, Failed, type Failure } from '../system/failure.ts';
import type { DeclaredJob } from './declared-job.ts';
import { label } from './launch-agent.ts';
import type { JobState, Reply } from './launchctl.ts';
import {
  findJob,
  findSystemJob,
  findTarget,
  halt,
  kick,
  load,
  systemDomain,
  unload,
  type Plan,
  type Trouble,
} from './launchd.ts';
import type { Service, ServiceState } from './service.ts';

export interface LaunchdOptions {
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

export function launchdService(options: LaunchdOptions): Service {
  const { uid, plist, isChanged, onLoaded, isSystem = false, declared } = options;
  const go = <T>(plan: Plan<T>): Promise<T> => perform(plan, options);
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
      const bad = fileFailure(plist, factsOf(plist));
      if (bad !== undefined) throw new Failed(bad);
      const target = job?.target ?? place ?? (await go(findTarget(uid)));
      if (target === undefined) throw new Failed(noSession);
      const trouble = await go(load(target, plist));
      if (trouble !== undefined) throw new Failed(troubleFailure(trouble, plist));
      onLoaded();
    },
    async stop() {
      const job = await find();
      if (job === undefined) return false;
      if ((await go(halt(job.target))) === 'still-there') throw new Failed(doesNotLeave);
      return true;
    },
    async remove() {
      if (declared !== undefined) return;
      const job = await find();
      if (job !== undefined && !(await go(unload(job.target)))) throw new Failed(doesNotLeave);
    },
  };
}

/** Makes a plan's calls one after the other. */
export async function perform<T>(
  plan: Plan<T>,
  options: Pick<LaunchdOptions, 'launchctl' | 'clock' | 'signal' | 'isSystem' | 'asRoot'>,
): Promise<T> {
  const {
    launchctl,
    clock,
    signal,
    isSystem = false,
    asRoot = (argv: readonly string[]) => argv,
  } = options;
  let reply: Reply = { code: 0, stdout: '', stderr: '' };
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
      reply = replyOf(await run(program, rest, { timeoutMs, signal }));
    }
    signal.throwIfAborted();
  }
}

const replyOf = ({ ended, stdout, stderr }: Ran): Reply => ({
  code: ended.kind === 'exited' ? ended.code : undefined,
  stdout,
  stderr,
});

function stateOf(job: { readonly state: JobState } | undefined): ServiceState {
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

/** What launchd looks at before it takes a file (launchctl.c, path_goodness_check). */
export interface PlistFacts {
  readonly kind: 'missing' | 'file' | 'other';
  readonly mode: number;
  readonly uid: number;
}

const reload = 'Run: linuxkit-builder configure, then linuxkit-builder start.';

/** Why launchd will refuse a file, as it would not say itself. Pure. */
export function fileFailure(plist: string, { kind, mode, uid }: PlistFacts): Failure | undefined {
  const refused = (why: string, hint: string): Failure => ({
    kind: 'job-file-refused',
    message: `${plist} ${why}, so launchd refuses it.`,
    hint,
    exit: Exit.unavailable,
  });
  if (kind === 'missing')
    return {
      kind: 'job-missing',
      message: `There is no ${plist}.`,
      hint: reload,
      exit: Exit.unavailable,
    };
  if (kind === 'other') return refused('is not a regular file', `Move it away. ${reload}`);
  if ((mode & 0o022) !== 0) return refused('can be written by others', `Run: chmod 644 '${plist}'`);
  if (uid !== process.getuid?.() && uid !== 0)
    return refused(`belongs to another user (uid ${uid})`, `Run: sudo chown "$USER" '${plist}'`);
  return undefined;
}

/** Sentence and remedy for each other way in which launchd refuses. Pure. */
export function troubleFailure({ verb, meaning, reply }: Trouble, plist: string): Failure {
  const said = (reply.stderr || reply.stdout).trim();
  const failure = (kind: string, message: string, hint: string): Failure => ({
    kind,
    message,
    hint,
    exit: Exit.unavailable,
    lines: [`launchctl ${verb}: ${said === '' ? `exit code ${reply.code ?? '?'}` : said}`],
  });
  switch (meaning) {
    case 'no-domain':
      return noSession;
    case 'disabled':
    case 'io':
      return failure(
        'job-disabled',
        'launchd refuses to load the job: it may be switched off in the Login Items.',
        `Allow linuxkit-builder in System Settings, General, Login Items; or run: launchctl enable gui/$(id -u)/${label}`,
      );
    case 'already':
      return doesNotLeave;
    case 'bad-file':
      return failure(
        'job-file-refused',
        `launchd does not accept ${plist}.`,
        `Delete it. ${reload}`,
      );
    default:
      return failure('job-refused', 'launchd did not load the job.', reload);
  }
}

const notLoaded = ({ by, path }: DeclaredJob): Failure => ({
  kind: 'job-missing',
  message: `launchd does not know the job that ${by} declares in ${path}.`,
  hint: `Apply the configuration that declares it; or: sudo launchctl bootstrap ${systemDomain} '${path}'`,
  exit: Exit.unavailable,
});

const noSession: Failure = {
  kind: 'no-login-session',
  message:
    'launchd has no session of yours that a job could run in: nobody is logged in on the screen.',
  hint: 'Log in there once, or run the daemon without launchd: linuxkit-builder daemon.',
  exit: Exit.unavailable,
};

const doesNotLeave: Failure = {
  kind: 'job-does-not-leave',
  message: 'launchd has been told to end the job, and it is still there after 65 s.',
  hint: `See: launchctl print gui/$(id -u)/${label}`,
  exit: Exit.temporary,
};

function factsOf(plist: string): PlistFacts {
  const stats: Stats | undefined = lstatSync(plist, { throwIfNoEntry: false });
  if (stats === undefined) return { kind: 'missing', mode: 0, uid: 0 };
  return { kind: stats.isFile() ? 'file' : 'other', mode: stats.mode & 0o7777, uid: stats.uid };
}
