/** Whether Nix can build on the guest: one ssh login as Nix makes it, that must reach a nix daemon that answers. */
import { refusal } from '../../system/files/reasons.ts';
import type { Layout } from '../../config/layout.ts';
import type { Tunnel } from '../../domain/tunnel.ts';
import type { CommandResult } from '../../system/process/child.ts';
import type { Clock } from '../../system/time/clock.ts';
import { Failed, type Failure } from '../../system/failure.ts';
import { inMarks } from '../../system/plain-text.ts';
import { programMissing, tryProgram } from '../../system/process/find-program.ts';
import { ProbeAnswer, maxClockOffsetMs } from './probe-answer.ts';
import { sshArgv, sshEnvironment } from './ssh-argv.ts';
import { notYet, sshHint } from './ssh-words.ts';
import { forwardFolders, openForward } from './one-shot-forward.ts';
import { advice, ours, type Text } from '../../system/advice.ts';

interface Words {
  /** What to do about it, or what it probably is. */
  readonly hint: Text;
  /** What was seen, in one line. */
  readonly detail: string;
}
interface NotReady extends Words {
  readonly ok: false;
}

/** What a probe found: ready, or the first requirement that does not hold. */
export type Probe =
  | {
      readonly ok: true;
      /** How far the guest's clock is ahead of ours. */
      readonly clockOffsetMs: number;
      readonly tookMs: number;
      /** The guest's Nix, as it says itself. */
      readonly nixVersion?: string;
    }
  | (NotReady & { readonly requirement: 'ssh' | 'nix' })
  | (NotReady & { readonly requirement: 'clock'; readonly clockOffsetMs: number })
  /** This host has no ssh: no second try can help. */
  | (NotReady & { readonly requirement: 'ssh-missing'; readonly failure: Failure });

/** How the guest is reached, and how long it may take. */
export interface ProbeOptions {
  readonly tunnel: Tunnel;
  readonly layout: Pick<Layout, 'clientKey' | 'knownHosts' | 'state'>;
  readonly clock: Clock;
  /** Ends the probe by rejecting with the signal's reason. */
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** Other than {@link forwardFolders}. */
  readonly folders?: readonly string[];
}

/** Loads what a probe needs, for whoever has the time before. It brings what runs programs, and the daemon's door should not wait for that. */
export const loadProbe = () => import('./ask-nix.ts');

/** Asks once. Every answer and every silence is in the result. */
export async function probeGuest(options: ProbeOptions): Promise<Probe> {
  const { clock, signal, timeoutMs } = options;
  signal.throwIfAborted();
  const ssh = tryProgram('ssh');
  if (ssh === undefined) return sshMissing();
  const begun = clock.monotonic();
  const answer = new ProbeAnswer(clock);
  const scope = new AbortController();
  const inTime = AbortSignal.any([signal, scope.signal]);
  try {
    const end = await converse(ssh, options, answer, inTime);
    return judge(answer, end, { timeoutMs, tookMs: clock.monotonic() - begun });
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    // Of this host, which may have room the next time.
    const { message: detail, hint } = error.failure;
    return { ok: false, requirement: 'ssh', detail, hint };
  } finally {
    scope.abort();
  }
}

/** The time first, then what Nix runs. */
const remoteCommand = 'date +%s.%N; exec nix-daemon --stdio';

type End = 'answered' | 'late' | CommandResult;

async function converse(
  ssh: string,
  options: ProbeOptions,
  answer: ProbeAnswer,
  signal: AbortSignal,
): Promise<End> {
  const { tunnel, layout, clock, timeoutMs, folders = forwardFolders(layout) } = options;
  const login = { layout, user: 'builder', key: layout.clientKey, timeoutMs } as const;
  const argv = sshArgv(login, await openForward(tunnel, folders, signal), remoteCommand);
  const { askNix } = await loadProbe();
  const take = (chunk: Buffer) => (answer.take(chunk) ? ('answered' as const) : undefined);
  const env = sshEnvironment(process.env);
  return askNix([ssh, ...argv], { take, timeoutMs, clock, signal, env });
}

/** Each requirement rests on the one before it: a login, a nix daemon that answers, a clock that builds can go by. */
export function judge(
  answer: ProbeAnswer,
  end: End,
  { timeoutMs, tookMs }: { readonly timeoutMs: number; readonly tookMs: number },
): Probe {
  const { nix } = answer;
  const offset = answer.clockOffsetMs();
  const said =
    end === 'answered' ? { detail: answer.describe(), hint: sshHint('') } : wordsOf(end, timeoutMs);
  if (offset === undefined)
    return { ok: false, requirement: 'ssh', ...(answer.isGarbled ? garbled(answer) : said) };
  if (nix.kind !== 'answered') return noNix(nix.kind === 'refused' ? nix.why : said.detail);
  if (Math.abs(offset) > maxClockOffsetMs) return wrongClock(offset);
  const nixVersion = nix.version === undefined ? {} : { nixVersion: nix.version };
  return { ok: true, clockOffsetMs: offset, tookMs, ...nixVersion };
}

const garbled = (answer: ProbeAnswer): Words => ({
  detail: answer.describe(),
  hint: advice`The guest's login shell prints something of its own, which Nix cannot handle. Rebuild the image: ${ours('image build')}. In an image of your own, change that shell's start-up files.`,
});

const noNix = (detail: string): Probe => ({
  ok: false,
  requirement: 'nix',
  detail,
  hint: advice`The login works, but nix-daemon does not answer. See its output: ${ours('console')}`,
});

const wrongClock = (offsetMs: number): Probe => ({
  ok: false,
  requirement: 'clock',
  clockOffsetMs: offsetMs,
  detail: `the guest's clock is ${(Math.abs(offsetMs) / 1000).toFixed(1)} s ${offsetMs > 0 ? 'ahead' : 'behind'}`,
  hint: advice`The guest agent sets it. A restart sets it too: ${ours('restart')}`,
});

/** What became of an ssh that brought no answer. Only its own words say more than that. */
function wordsOf(end: 'late' | CommandResult, timeoutMs: number): Words {
  if (end === 'late') return { detail: `no answer within ${timeoutMs / 1000} s`, hint: notYet };
  // They may be the guest's: what its login says on its stderr comes here too.
  const last = inMarks(end.stderr.trim().split(/\r?\n/).at(-1));
  return { detail: last ?? endOf(end), hint: sshHint(last ?? '') };
}

function endOf({ ended }: CommandResult): string {
  switch (ended.kind) {
    case 'exited':
      return `ssh exited with code ${ended.code} without a message`;
    case 'signalled':
      return `ssh was killed by ${ended.signal}`;
    case 'not-started':
      return `cannot start ssh (${refusal(ended.reason)})`;
    case 'timed-out':
    case 'cancelled':
      return 'ssh was stopped';
  }
}

function sshMissing(): Probe {
  const failure = programMissing('ssh');
  const { message: detail, hint } = failure;
  return { ok: false, requirement: 'ssh-missing', detail, hint, failure };
}
