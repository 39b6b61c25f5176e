/** What a command is given: the world as main found it. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { instance } from '../config/instance.ts';
import {
  defaultStateDirectory,
  layoutOf,
  stateDirectoryProblems,
  type Layout,
} from '../config/layout.ts';
import type { Problem } from '../domain/problem.ts';
import { declaredBuilder, elsewhereThan, knownName } from '../host/directory/known-directory.ts';
import type { Installed } from '../host/installed.ts';
import { systemPathsOf } from '../host/system-paths.ts';
import { checkTrust, type Use } from '../host/directory/state-directory.ts';
import { advice, type Text } from '../system/advice.ts';
import type { Clock } from '../system/time/clock.ts';
import { Exit, Failed, type Failure } from '../system/failure.ts';
import type { StopSignal } from '../system/process/signals.ts';
import { notEmpty } from './option-values.ts';
import type { Look } from './terminal.ts';
import { quotedWord, shellWord } from '../system/shell.ts';

/** The world of one command line; tests make their own. */
export interface CliContext {
  readonly env: NodeJS.ProcessEnv;
  readonly home: string;
  /** Of this program, as its package says. */
  readonly version?: string;
  /** The package's own folder: holds src/image, launchd and dist. */
  readonly assets: string;
  /** One line for the person or program that asked. Of foreign words in it nothing reaches the terminal that it would obey. */
  readonly out: (line: Text, look?: Look) => void;
  /** One line beside the answer: progress, warnings. As harmless. */
  readonly err: (line: Text) => void;
  /** The state directory that -d named, if any: what is shown names it in each command of ours. */
  readonly directory?: string | undefined;
  readonly isTTY: boolean;
  /** Aborts at the first SIGINT, SIGTERM or SIGHUP, unless a command listens to those itself. */
  readonly signal: AbortSignal;
  /** Aborts when nobody reads what is shown any more: for what shows something without end. */
  readonly unread?: AbortSignal;
  readonly clock: Clock;
  /** Takes the stop signals over from `signal`. */
  onStopSignal(listener: (name: StopSignal) => void): void;
  /** The exit code to leave with when the command is over. */
  exit(code: number): void;
}

/** Runs another command with these words; its exit code. It tells what it does, and its failures, itself. */
export type Perform = (words: readonly string[]) => Promise<number>;

/** True where a terminal shows what we say and can be drawn on. */
export const movesCursor = ({ isTTY, env }: Pick<CliContext, 'isTTY' | 'env'>): boolean =>
  isTTY && env['TERM'] !== 'dumb';

/** Of each command that works in a state directory. Absent: the usual one, or the only one that there is. */
export interface DirectoryOption {
  readonly directory?: string;
}

/** The option that every command has. */
export const directoryOption = [
  '-d, --directory <dir>',
  `state directory (default: ~/.cache/${instance.stateDirectory})`,
  notEmpty,
] as const;

/**
 * The state directory that a command works on: -d, else LINUXKIT_BUILDER_DIR, else the default. Failed when its name is unfit, or when it
 * is another's, who would have us do as he likes.
 */
export function layoutFor(
  options: DirectoryOption,
  context: CliContext,
  use: Use = 'change',
): Layout {
  const layout = namedLayout(options, context, use);
  const systemPaths = systemPathsOf(context.env['LINUXKIT_BUILDER_TREE']);
  // Root itself says whose that is; its group may ask.
  const isDeclared = () => declaredBuilder(systemPaths)?.owner.directory === layout.root;
  if ((use === 'look' || use === 'ask') && isDeclared()) return layout;
  checkTrust(layout, use, (line) => context.err(line));
  return layout;
}

/** What a command that may ask another's daemon does beside that is for its owner alone: as root, too, which would write where he leads. */
export function refuseOthers(layout: Layout, context: CliContext): void {
  const systemPaths = systemPathsOf(context.env['LINUXKIT_BUILDER_TREE']);
  const declared = declaredBuilder(systemPaths);
  const isDeclared = declared?.owner.directory === layout.root;
  if (isDeclared && declared.owner.uid !== process.geteuid?.())
    throw new Failed(isDeclaredElsewhere(declared));
  checkTrust(layout, 'mend', (line) => context.err(line));
}

function namedLayout(options: DirectoryOption, context: CliContext, use: Use): Layout {
  const meant = directoryMeant(options, context);
  const isNamed = options.directory ?? context.env['LINUXKIT_BUILDER_DIR'];
  // Without a builder of one's own that of the machine is meant, by what only looks and asks.
  const hasOwn = isNamed !== undefined || existsSync(layoutOf(meant).config);
  const systemPaths = systemPathsOf(context.env['LINUXKIT_BUILDER_TREE']);
  const declared = hasOwn ? undefined : declaredBuilder(systemPaths);
  if (declared !== undefined && use !== 'look' && use !== 'ask')
    throw new Failed(isDeclaredElsewhere(declared));
  const root = declared?.owner.directory ?? meant;
  const problems = stateDirectoryProblems(root);
  if (problems.length === 0) return layoutOf(root);
  throw new Failed(isUnfit(root, problems));
}

/** One problem is the message; of several each says what to do. */
function isUnfit(root: string, problems: readonly Problem[]): Failure {
  const unfit = { kind: 'state-directory-unfit', exit: Exit.config } as const;
  const [first, ...others] = problems;
  if (first !== undefined && others.length === 0)
    return { ...unfit, message: `The state directory ${root} ${first.message}.`, hint: first.hint };
  const message = `The state directory ${root} cannot be used.`;
  return {
    ...unfit,
    message,
    hint: '',
    lines: problems.map((each) => advice`It ${each.message}. ${each.hint}`),
  };
}

/** A configuration has the builder run as another user: what this one would write, nobody would read. */
export const isDeclaredElsewhere = ({ owner, declared }: Installed): Failure => ({
  kind: 'builder-declared',
  message: `This machine's builder is declared by ${declared?.by ?? 'another program'} and runs as ${owner.name}. Nothing was changed.`,
  hint: `Run the command as that user: sudo -u ${shellWord(owner.name)} linuxkit-builder ... -d ${quotedWord(owner.directory)}. To restart the daemon: ${declared?.restart ?? ''}`,
  exit: Exit.noPermission,
});

/** One builder has one name, the one that Nix knows; and where the default is none of a builder's, that of the user's is meant. */
export function directoryMeant({ directory }: DirectoryOption, context: CliContext): string {
  const { env, home } = context;
  const systemPaths = systemPathsOf(env['LINUXKIT_BUILDER_TREE']);
  const given = directory ?? env['LINUXKIT_BUILDER_DIR'];
  if (given === '') throw new Failed(emptyVariable);
  // A directory given in a terminal is meant from where that terminal is.
  if (given !== undefined) return knownName(resolve(given), systemPaths);
  const usual = defaultStateDirectory(env, home);
  const other = elsewhereThan(usual, systemPaths);
  if (other === undefined) return knownName(usual, systemPaths);
  context.err(usingYours(usual, other));
  return other;
}

/** It may be a script's whose own variable was empty: neither the default nor the working directory is what that meant. */
const emptyVariable: Failure = {
  kind: 'state-directory-unfit',
  message: 'LINUXKIT_BUILDER_DIR is set, but empty.',
  hint: 'Set it to the path of the state directory, or unset it.',
  exit: Exit.usage,
};

/** The directory that a command of ours has to name to get to this builder; undefined where it gets there without. */
export function unlessUsual({ root }: Layout, { env, home }: CliContext): string | undefined {
  const systemPaths = systemPathsOf(env['LINUXKIT_BUILDER_TREE']);
  return root === knownName(defaultStateDirectory(env, home), systemPaths) ? undefined : root;
}

/** `usual`: the directory that would have been taken; `other`: the one in which there is a builder. */
export const usingYours = (usual: string, other: string): string =>
  `There is no builder in ${usual}; using yours in ${other}.`;

/** Aborts when the user interrupts, or when nobody reads what is shown. */
export const untilUnread = ({
  signal,
  unread,
}: Pick<CliContext, 'signal' | 'unread'>): AbortSignal =>
  unread === undefined ? signal : AbortSignal.any([signal, unread]);
