/**
 * Processes: short commands that are waited for, by execa (filter.ts has those in pipes), and children that live on, by Node itself.
 * A child's end is its `exit` event. Children get files for output, never pipes; they lead a session of their own, so that a
 * signal to their group reaches all of them and nobody else.
 */
import { closeSync } from 'node:fs';
import type { Result } from 'execa';
import treeKill from 'tree-kill';
import { AwakeClock } from '../time/awake.ts';
import type { Clock } from '../time/clock.ts';
import { writeWhole } from '../files/files.ts';
import { dropOutputs, outOfReach } from './outputs.ts';
import { withSockets } from '../socket/listening.ts';
import { whoLeft } from './process.ts';
import { spawnSession, withLock, type ExitStatus, type Launch } from './session.ts';
import { descriptorsLack } from './spawn-room.ts';

export { firstSocketFd, type ExitStatus, type Launch } from './session.ts';

/** A running child: three facts and a way to end it. */
export interface Child {
  readonly pid: number;
  /** Settles once, never rejects. */
  readonly ended: Promise<ExitStatus>;
  signal(name: NodeJS.Signals): void;
  /** SIGTERM to its session, then SIGKILL when graceMs have passed. */
  stop(graceMs: number): Promise<ExitStatus>;
}

interface LaunchFiles {
  /** Gets stdout and stderr, appended. */
  readonly output: string;
  /** Locked by the child for its life; we keep no descriptor of it. */
  readonly lock: string;
}

/** Starts a child that outlives us unless it is stopped. Resolves when it has a pid, or with `not-started`; Failed without its sockets or its lock. */
export async function launch(
  what: Launch,
  files: LaunchFiles,
  clock: Clock,
): Promise<Child | NotStarted> {
  const locked = (fds: readonly number[]) => spawnLocked(what, files, fds);
  const { pid, ended } = await withSockets(what.sockets ?? [], locked);
  return pid === undefined ? ((await ended) as NotStarted) : childOf(pid, ended, clock);
}

function spawnLocked(what: Launch, files: LaunchFiles, fds: readonly number[]) {
  const locked = withLock(what, files.lock);
  try {
    return spawnSession({ ...what, ...locked }, files.output, [...fds, ...locked.extra]);
  } finally {
    for (const fd of locked.extra) closeSync(fd);
  }
}

type NotStarted = Extract<ExitStatus, { kind: 'not-started' }>;

/** Starts a program in a session of its own, to be left alone: it keeps its own lock. `output` begins anew. */
export function spawnDetached(
  what: Launch,
  output: string,
): { readonly ended: Promise<ExitStatus> } {
  writeWhole(output, '', { durable: false });
  const { ended, unref } = spawnSession(what, output, []);
  unref();
  return { ended };
}

function childOf(pid: number, ended: Promise<ExitStatus>, clock: Clock): Child {
  let gone = false;
  void ended.then(() => (gone = true));
  const signal = (name: NodeJS.Signals) => {
    // Only while the pid is certainly ours, and looked for before: whose parent is dead is nobody's. Found by ps, so there is
    // one: tree-kill starts it without listening for its failure, which would end us.
    const away = name === 'SIGKILL' && !gone ? whoLeft(pid) : [];
    signalGroup(pid, name);
    for (const each of away) treeKill(each, name, () => undefined);
  };
  return {
    pid,
    ended,
    signal,
    stop(graceMs) {
      signal('SIGTERM');
      const cancel = new AwakeClock(clock).after(graceMs, () => signal('SIGKILL'));
      return ended.finally(cancel);
    },
  };
}

/** Signals a whole session of ours by its leader's pid; no error if it is gone. None of ours is led by pid 1, and -1 would be everybody (kill(2)). */
export function signalGroup(pid: number, name: NodeJS.Signals): void {
  if (pid <= 1) return;
  try {
    process.kill(-pid, name);
  } catch {
    // ESRCH: nobody is left, which is what was wanted.
  }
}

export interface RunOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly input?: string | Uint8Array;
  /** The whole environment when given; otherwise ours is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where it runs; ours by default. */
  readonly cwd?: string;
  /** Most bytes kept of each stream; the command is ended beyond it. Default 1 MiB. */
  readonly maxBytes?: number;
  /** Give it the terminal: nothing is captured; of `errors`, its output is. */
  readonly terminal?: boolean | 'errors';
  /** In a session of its own: where it takes too long, what it started ends with it. It has no terminal, by which sudo knows its user. */
  readonly group?: boolean;
}

export interface CommandResult {
  readonly ended: ExitStatus | { readonly kind: 'timed-out' } | { readonly kind: 'cancelled' };
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a short command to its end. Never rejects: every way to end is in the result. */
export async function run(
  program: string,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<CommandResult> {
  // Loaded with the first command: the largest part of the program, and the daemon's door should not wait for it.
  const { execa } = await import('execa');
  const lack = descriptorsLack();
  if (lack !== undefined) return { ended: lack, stdout: '', stderr: '' };
  const child = execa(program, [...argv], optionsFor(options));
  dropOutputs(child);
  // Whoever gives no time waits for as long as it takes.
  const result = await Promise.race([child, ...(options.timeoutMs ? [outOfReach(child)] : [])]);
  if (result === undefined) return { ended: cutBy(options), stdout: '', stderr: '' };
  const isCut = result.timedOut || result.isCanceled;
  if (options.group === true && isCut) signalGroup(child.pid ?? 0, 'SIGKILL');
  return { ended: endOf(result), stdout: textOf(result.stdout), stderr: textOf(result.stderr) };
}

const cutBy = ({ signal }: RunOptions): CommandResult['ended'] => ({
  kind: signal?.aborted === true ? 'cancelled' : 'timed-out',
});

const optionsFor = (options: RunOptions) => ({
  reject: false,
  stripFinalNewline: false,
  maxBuffer: options.maxBytes ?? 1024 * 1024,
  ...(options.terminal === true
    ? { stdio: 'inherit' as const }
    : options.terminal === 'errors'
      ? { stdout: 'pipe' as const, stdin: 'inherit' as const, stderr: 'inherit' as const }
      : options.input === undefined
        ? { stdin: 'ignore' as const }
        : { input: options.input }),
  ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
  ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
  ...(options.env === undefined ? {} : { env: { ...options.env }, extendEnv: false }),
  ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  ...(options.group === true ? { detached: true } : {}),
});

/** True when a command ran and exited 0. */
export const succeeded = (ran: CommandResult): boolean =>
  ran.ended.kind === 'exited' && ran.ended.code === 0;

const textOf = (stream: unknown): string => (typeof stream === 'string' ? stream : '');

/** execa's result as ours. */
export function endOf(result: Omit<Result, 'all' | 'stdio'>): CommandResult['ended'] {
  if (result.timedOut) return { kind: 'timed-out' };
  if (result.isCanceled) return { kind: 'cancelled' };
  if (result.exitCode !== undefined) return { kind: 'exited', code: result.exitCode };
  if (result.signal !== undefined) return { kind: 'signalled', signal: result.signal };
  return { kind: 'not-started', reason: result.code ?? result.originalMessage ?? 'unknown' };
}
