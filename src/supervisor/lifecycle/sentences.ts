/** Each state in a sentence, with its reason where there is one: the daemon is never silent. Pure. */
import { describeProblem, type Problem } from '../../domain/problem.ts';
import { runStates } from '../../vm/run-states.ts';
import type { Because, PauseReason, Rest, State } from './state.ts';

/** `problems`: what is wrong in config.json. */
export function sentenceOf(state: State, problems: readonly Problem[] = []): string {
  switch (state.phase) {
    case 'stopped':
      return 'Stopped.';
    case 'starting':
      return state.attempt > 1 ? `Starting, attempt ${state.attempt}.` : 'Starting.';
    case 'booting':
      return state.stage === undefined
        ? 'The guest boots.'
        : `The guest boots; it has reached '${state.stage}'.`;
    case 'ready':
      return 'Ready: it can build.';
    case 'paused':
      return pauseWords(state.why);
    case 'stopping':
      return `Stopping ${why(state.because)}`;
    case 'suspending':
      return `Suspending the guest until it is needed again. ${restWords(state.why)}`;
    case 'resuming':
      return 'Resuming the guest.';
    case 'away':
      return `Away: the guest is ${state.saved === undefined ? 'stopped; the next build starts it' : 'suspended; the next build resumes it'}. ${restWords(state.why)}`;
    case 'backing-off':
      return `Waiting before the next attempt. ${state.because.message}`;
    case 'failed':
      return [
        `Failed, and will not try again by itself. ${state.because.message} ${state.because.hint} ${nextTry(state.until)}`,
        ...problems.map(describeProblem),
      ].join('\n  ');
  }
}

const nextTry = (until: number | undefined): string =>
  until === undefined
    ? 'The next build brings another try.'
    : `Builds are sent off until ${new Date(until).toISOString().slice(0, 19)}Z; one that comes later brings another try.`;

function pauseWords(why: PauseReason): string {
  switch (why) {
    case 'disk-full':
      return "Paused: the host's disk is full. It goes on by itself when there is room again; no write is lost.";
    case 'disk-inodes':
      return "Paused: the host's file system can hold no more files (df -i). It goes on by itself when it can; no write is lost.";
    case 'disk-quota':
      return "Paused: a quota on the host's disk is used up. It goes on by itself when there is room again; no write is lost.";
    case 'unknown':
      return 'Paused: the VM program has halted the guest, and does not say why.';
    default:
      return runStates[why].sentence;
  }
}

function why(because: Because): string {
  switch (because.type) {
    case 'asked':
      return 'as asked.';
    case 'restart':
      return `to start again: ${because.why}.`;
    case 'rest':
      return `until it is needed again. ${restWords(because.why)}`;
    case 'unfit':
      return `a guest that could not be resumed, to boot it instead: ${because.failure.message}`;
    case 'lost':
      return `what is left of a start that failed: ${because.failure.message}`;
    case 'evicted':
      return `for good: ${because.failure.message}`;
  }
}

function restWords(why: Rest): string {
  switch (why.type) {
    case 'unused':
      return `Nobody has used it for ${spanWords(why.forMs)}.`;
    case 'battery':
      return 'This machine runs on its battery, and nobody uses it.';
    case 'memory':
      return 'This machine is short of memory, and nobody uses it.';
    case 'asked':
      return 'It was sent away by hand.';
    case 'not-needed-yet':
      return 'Nobody has needed it since the daemon began.';
  }
}

/** `10 min`, `90 s`. */
function spanWords(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}
