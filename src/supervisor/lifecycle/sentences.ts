/** Each state in a sentence, with its reason where there is one: the daemon is never silent. Pure. */
import { describeStage } from '../../guest/console/boot.ts';
import { describeProblem, type Problem } from '../../domain/problem.ts';
import { runStates } from '../../vm/run-states.ts';
import type { Because, In, PauseReason, Rest, State } from './state.ts';
import { advice, asSentence, joinTexts, ours, type Text } from '../../system/advice.ts';

/** `problems`: what is wrong in config.json. */
export function sentenceOf(state: State, problems: readonly Problem[] = []): Text {
  switch (state.phase) {
    case 'stopped':
      return 'Stopped.';
    case 'starting':
      return state.attempt > 1 ? `Starting (attempt ${state.attempt}).` : 'Starting.';
    case 'booting':
      return state.stage === undefined
        ? 'The guest is booting.'
        : `The guest is booting: ${describeStage(state.stage)}.`;
    case 'ready':
      return 'Ready to build.';
    case 'paused':
      return pauseWords(state.why);
    case 'stopping':
      return endingWords(state.because);
    case 'suspending':
      return `Suspending the guest until it is needed again. ${restWords(state.why)}`;
    case 'resuming':
      return 'Resuming the guest.';
    case 'away':
      return `Away: the guest is ${state.saved === undefined ? 'stopped; the next build starts it' : 'suspended; the next build resumes it'}. ${restWords(state.why)}${insteadWords(state)}`;
    case 'backing-off':
      return `Waiting before the next attempt. ${state.because.message}`;
    case 'failed':
      return joinTexts(
        [
          advice`Failed. ${state.because.message} ${asSentence(state.because.hint)} ${nextTry(state.until)}`,
          ...problems.map(describeProblem),
        ],
        '\n  ',
      );
  }
}

const nextTry = (until: number | undefined): string =>
  until === undefined
    ? 'The next build triggers another attempt.'
    : `Builds are refused until ${new Date(until).toISOString().slice(0, 19)}Z; the first one after that triggers another attempt.`;

function pauseWords(why: PauseReason): Text {
  switch (why) {
    case 'disk-full':
      return "Paused: the host's disk is full. The guest continues on its own once there is space again; no write is lost.";
    case 'disk-inodes':
      return "Paused: the host's file system has no free inodes (df -i). The guest continues on its own once it has some again; no write is lost.";
    case 'disk-quota':
      return "Paused: a quota on the host's disk is used up. The guest continues on its own once there is space again; no write is lost.";
    case 'unknown':
      return advice`Paused: the VM program has halted the guest without giving a reason. If it stays so, run ${ours('restart')}.`;
    default:
      return runStates[why].sentence;
  }
}

function endingWords(because: Because): string {
  switch (because.type) {
    case 'asked':
      return 'Stopping, as requested.';
    case 'restart':
      return `Stopping the guest to restart it (${because.why}).`;
    case 'rest':
      return `Stopping the guest until it is needed again. ${restWords(because.why)}`;
    case 'unfit':
      return `Stopping the guest, to boot it instead. ${because.failure.message}`;
    case 'lost':
      return `Cleaning up after a failed start. ${because.failure.message}`;
    case 'evicted':
      return `The daemon is exiting. ${because.failure.message}`;
  }
}

function restWords(why: Rest): string {
  switch (why.type) {
    case 'unused':
      return `It has been idle for ${spanWords(why.forMs)}.`;
    case 'battery':
      return 'It is idle, and this machine is running on battery.';
    case 'memory':
      return 'It is idle, and this machine is low on memory.';
    case 'asked':
      return 'This was requested.';
    case 'not-needed-yet':
      return 'It has not been needed since the daemon started.';
  }
}

const insteadWords = ({ instead }: Pick<In<'away'>, 'instead'>): string =>
  instead === undefined ? '' : ` It was stopped instead of suspended: ${asSentence(instead)}`;

/** `10 min`, `90 s`. */
function spanWords(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}
