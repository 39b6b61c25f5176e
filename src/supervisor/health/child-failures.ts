/** What can go wrong with the children and the guest, in words. */
import type { Layout } from '../../config/layout.ts';
import { notSetUp } from '../../config/not-set-up.ts';
import type { SettingsRead } from '../../config/read-settings.ts';
import { frozenMs } from './liveness.ts';
import type { ExitStatus } from '../../system/process/child.ts';
import { endWords } from '../../system/process/end-words.ts';
import { describeProblem, type Problem } from '../../domain/problem.ts';
import { Exit, type Failure } from '../../system/failure.ts';
import { inMarks } from '../../system/plain-text.ts';
import { lockHeld } from '../../system/lock/flock.ts';
import { advice, asSentence, ours, type Text } from '../../system/advice.ts';

/** The VM process ended although nobody asked it to. reason: what it said itself, such as QMP's "guest-shutdown". */
export function vmExited(
  program: string,
  ended: ExitStatus,
  reason: string | undefined,
  lines: readonly string[],
): Failure {
  if (ended.kind === 'exited' && ended.code === lockHeld)
    return {
      kind: 'vm-lock-held',
      message: `${program} was not started: another VM process of this builder still holds its lock.`,
      hint: 'The next attempt looks for that process again.',
      exit: Exit.temporary,
      blames: 'leftover',
    };
  const said = reason === undefined ? '' : ` Reason: ${reason}.`;
  return {
    kind: 'vm-exited',
    vmFault: 'passes',
    message: `The VM process ${program} ${endWords(ended)}.${said}`,
    hint:
      ended.kind === 'not-started'
        ? advice`Check that it can be run, or install it again. Then: ${ours('restart')}`
        : advice`See its output with ${ours('logs')}, and the console with ${ours('console')}.`,
    exit: Exit.unavailable,
    blames: 'image',
    // It ends by itself where it cannot take the guest from its file.
    suspendFault: true,
    lines,
  };
}

/** SIGKILL says nothing of who sent it. hostRanOut: whether the host ran out of memory just then, where that can be known. */
export function vmKilled(
  program: string,
  hostRanOut: boolean | undefined,
  lines: readonly string[],
): Failure {
  const giveLess = advice`give the guest less memory: ${ours('configure', '-m MiB')}`;
  if (hostRanOut === true)
    return {
      kind: 'host-out-of-memory',
      message: `The VM process ${program} was killed (SIGKILL): the host, or a limit on it, ran out of memory.`,
      hint: advice`Quit other programs, or ${giveLess}`,
      exit: Exit.osError,
      recovery: 'wait',
      lines,
    };
  const who =
    hostRanOut === false
      ? 'by a user or a program; the host was not out of memory'
      : 'either by a user or by the out-of-memory killer; this system does not say which';
  return {
    kind: 'vm-killed',
    message: `The VM process ${program} was killed (SIGKILL), ${who}.`,
    hint:
      hostRanOut === false ? 'The guest is restarted.' : advice`If it happens again, ${giveLess}`,
    exit: Exit.unavailable,
    lines,
  };
}

/** The network program ended: its exit code says nothing, since 0 is also its code for what it could not do. */
export function networkExited(
  program: string,
  ended: ExitStatus,
  lines: readonly string[],
): Failure {
  if (ended.kind === 'exited' && ended.code === lockHeld)
    return {
      kind: 'network-lock-held',
      message: `${program} was not started: another network process of this builder still holds its lock.`,
      hint: 'The next attempt looks for that process again.',
      exit: Exit.temporary,
      blames: 'leftover',
    };
  const last = lines.at(-1);
  return {
    kind: 'network-exited',
    vmFault: 'passes',
    message: `The network program ${program} ${endWords(ended)}.${last === undefined ? '' : ` Its last output: ${last}`}`,
    hint: advice`Without it the guest has no network. See its output: ${ours('logs')}`,
    exit: Exit.unavailable,
    lines,
  };
}

/** It boots again by itself: what it was doing is lost, and its VM process goes on as if nothing had happened. */
export const guestRebooted = (lines: readonly string[]): Failure => ({
  kind: 'guest-rebooted',
  message: 'The guest rebooted by itself: it reached the first stage of its boot a second time.',
  hint: advice`See the lines before it: ${ours('console')}`,
  exit: Exit.unavailable,
  blames: 'image',
  deaf: 'dead',
  lines,
});

/** `text`: the kernel's line. */
export const guestReadOnly = (text: string, lines: readonly string[]): Failure => ({
  kind: 'guest-read-only',
  message: `The guest's file system had an error and became read-only. The kernel reported: ${inMarks(text) ?? '""'}.`,
  hint: "The guest is restarted, which checks and repairs it. If it happens again, check this machine's disk.",
  exit: Exit.unavailable,
  isIncident: true,
  lines,
});

/** What a guest that is not ready lacks: a stage of its boot, or what a login found. */
type Missing = string | { readonly detail: string; readonly hint: Text };

/** The boot took too long; names the first stage that did not come. */
export const bootTimedOut = (
  seconds: number,
  missing: Missing,
  lines: readonly string[],
): Failure => ({
  kind: 'boot-timed-out',
  vmFault: 'if-mute',
  ...(typeof missing === 'string'
    ? {
        message: `The guest was not ready after ${seconds} s: it did not reach the stage '${missing}'.`,
        hint: advice`See what it did last: ${ours('console')}`,
      }
    : {
        message: `The guest was not ready after ${seconds} s. Its last login: ${asSentence(missing.detail)}`,
        hint: missing.hint,
      }),
  exit: Exit.unavailable,
  // A disk can be made so that a check or a mount of it never ends: that is wrong for every image.
  ...(missing === 'disk' ? {} : { blames: 'image' as const }),
  lines,
});

/** config.json cannot be used; every problem is a line. */
export const configInvalid = (
  problems: readonly Problem[],
  describe: typeof describeProblem = describeProblem,
): Failure => ({
  kind: 'config-invalid',
  message: `config.json has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}.`,
  hint: problems.some(isOfWhole) ? reread : correctIt,
  exit: Exit.config,
  recovery: 'give-up',
  lines: problems.map(describe),
});

const correctIt = advice`Correct the file; it is read again when it changes. To reset a setting: ${ours('configure', '--reset SETTING')}`;
/** Such a problem says what to do with the file, in which no setting can be reset. */
const reread = 'The file is read again when it changes.';
const isOfWhole = ({ path }: Problem): boolean => path.endsWith('config.json');

/** Why there are no settings: config.json cannot be used, or nothing has been set up. */
export function noSettings(
  layout: Pick<Layout, 'root'>,
  { problems, isMissing }: SettingsRead,
  describe?: typeof describeProblem,
): Failure {
  if (isMissing !== true) return configInvalid(problems, describe);
  return { ...configInvalid(problems), ...saysUnset(layout), lines: [] };
}

function saysUnset(layout: Pick<Layout, 'root'>) {
  const { message, hint } = notSetUp(layout);
  return { message, hint, needsSetUp: true } as const;
}

/** Nothing in the guest has moved for too long. */
export const guestFrozen = (lines: readonly string[]): Failure => ({
  kind: 'guest-frozen',
  message: `The guest is frozen: its agent, sshd, console, disk and connections have shown no activity for ${frozenMs / 1000} s.`,
  hint: 'Its console and the state of its VM are kept in nix-state/incidents.',
  exit: Exit.unavailable,
  blames: 'image',
  deaf: 'frozen',
  isIncident: true,
  lines,
});

/** Under that name there is another directory now, or none. */
export const directoryLost = (root: string): Failure => ({
  kind: 'directory-lost',
  message: `The state directory ${root} was moved, deleted or replaced while the daemon was running.`,
  hint: advice`Put it back and run: ${ours('start')}. Or set up a new builder: ${ours('up')}`,
  exit: Exit.ioError,
});
