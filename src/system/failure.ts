/**
 * Expected trouble, as data: what happened, why, and what to do about it. A Failure travels in states, records
 * and messages; {@link Failed} carries one through code that acts. Any other exception is a bug of ours.
 */
import { asSentence, plainly, type Text } from './advice.ts';
import { userLimits } from './host/user-limits.ts';

/** Exit codes of sysexits(3), the ones we use. */
export const Exit = {
  ok: 0,
  general: 1,
  usage: 64,
  dataError: 65,
  noInput: 66,
  unavailable: 69,
  software: 70,
  osError: 71,
  cannotCreate: 73,
  ioError: 74,
  temporary: 75,
  noPermission: 77,
  config: 78,
} as const;
/** One of these. */
export type ExitCode = (typeof Exit)[keyof typeof Exit];

/** Of a command that was interrupted: 128 + SIGINT, as shells count. No failure has it. */
export const interruptedExit = 130;

/**
 * What helps a start that was lost to a failure: another try; waiting for another process, which takes longer; the next of several ways;
 * or nothing, until a person changes something.
 */
export type Recovery = 'retry' | 'wait' | 'other-way' | 'give-up';

/** One expected way to go wrong. */
export interface Failure {
  /** Stable name in kebab-case, for programs and tests: `image-truncated`. */
  readonly kind: string;
  /** What happened, with the facts: one sentence. */
  readonly message: string;
  /** What to do about it: a sentence or a command. */
  readonly hint: Text;
  readonly exit: ExitCode;
  /** Default: retry. */
  readonly recovery?: Recovery;
  /**
   * What is at fault, where replacing it may help: the image that was booted. Or a process that an earlier life left behind, which must
   * be looked for before anything else starts.
   */
  readonly blames?: 'image' | 'leftover';
  /**
   * What the VM program has to do with it, where another might run the guest. `lasts`: it fails so here, whatever is done again. `passes`: it
   * may not the next time. `if-mute`: that was waited for in vain which it starts; the fault is its own where the guest has said nothing at
   * all. `devices`: the guest has found none of its devices. `none`: the same would happen with every one. Absent: nothing is known of that.
   */
  readonly vmFault?: 'lasts' | 'passes' | 'if-mute' | 'devices' | 'none';
  /** How far the guest can still be asked to shut down: a frozen one hardly, one that its VM program runs no more not at all. */
  readonly deaf?: 'frozen' | 'dead';
  /** The way in which the guest goes into a file and goes on from it may not work here. All else that ends a suspend passes. */
  readonly suspendFault?: true;
  /** Nothing is set up: the hint says how to do that, which is not for whoever has another's builder already. */
  readonly needsSetUp?: true;
  /** Without what it names no daemon can begin, and only a person can mend it: one that a keeper started waits for that. */
  readonly blocksDaemon?: true;
  /** It was asked something and has not answered, or cannot be reached yet: it may be starting, and may answer the next question. */
  readonly unanswered?: true;
  /** Worth keeping the evidence of. */
  readonly isIncident?: boolean;
  /** Last words of the program concerned, oldest first. */
  readonly lines?: readonly Text[];
  /** A parser's words, which repeat a piece of a file: for a terminal, never for a record or a report. */
  readonly quotes?: string;
  /** What others have reported of the same: its cause, what helps, and where. */
  readonly known?: Text;
}

/** The one exception that is not a bug: it carries a Failure to whoever decides. */
export class Failed extends Error {
  readonly failure: Failure;
  constructor(failure: Failure, options?: ErrorOptions) {
    super(`${failure.message} ${plainly(failure.hint)}`, options);
    this.name = 'Failed';
    this.failure = failure;
  }
}

/** What was thrown, as a Failure; a bug becomes `bug` with its stack in the lines. `program-incomplete` where a module was not found. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof Failed) return thrown.failure;
  if (lacksMemory(thrown)) return outOfMemory;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  if (noModule.has(errorCode(error) ?? '')) return incomplete(error);
  return {
    kind: 'bug',
    message: `Unexpected error: ${asSentence(error.message)}`,
    hint: 'This is a bug in linuxkit-builder. Please report it, with the lines above.',
    exit: Exit.software,
    lines: (error.stack ?? '').split('\n'),
  };
}

/** Node's codes for a file of a program, or a package, that it does not find: of `require` and of `import`. */
const noModule: ReadonlySet<string> = new Set(['MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND']);

/** An upgrade takes the files away that this process has not loaded yet. */
const incomplete = ({ message }: Error): Failure => ({
  kind: 'program-incomplete',
  message:
    'A part of linuxkit-builder is missing, probably because it was upgraded or removed while this command was running.',
  hint: 'Run the command again. If that does not help, reinstall the program.',
  exit: Exit.temporary,
  // Behind the first line Node lists the files that asked for it.
  lines: message.split('\n', 1),
});

/** Of the system and of Node. V8 throws a plain RangeError, as for other things too: it is believed where a limit can be the reason. */
const lacksMemory = (thrown: unknown): boolean =>
  ['ENOMEM', 'ERR_MEMORY_ALLOCATION_FAILED'].includes(errorCode(thrown) ?? '') ||
  (thrown instanceof RangeError && errorCode(thrown) === undefined && isMemoryLimited());

/** By `ulimit -v` or `-d`, whose units in that report are another in each version of Node. */
const isMemoryLimited = (): boolean =>
  Object.entries(userLimits()).some(
    ([name, { soft }]) => /^(virtual_memory|data_seg_size)_/.test(name) && soft !== 'unlimited',
  );

const outOfMemory: Failure = {
  kind: 'out-of-memory',
  message: 'There is not enough memory.',
  hint: 'Quit other programs, or raise the memory limit of the service, the container or the shell (ulimit -v, ulimit -d).',
  exit: Exit.osError,
  recovery: 'retry',
};

/** The `code` of a Node system error (`ENOENT`), or undefined. */
export function errorCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string'
    ? thrown.code
    : undefined;
}
