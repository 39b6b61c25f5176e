/** What configure does about the keeper of the daemon, beyond writing its files. */
import { layoutOf, type Layout } from '../../config/layout.ts';
import { changeDiff } from '../../host/change-diff.ts';
import { readReceipts, writeReceipts } from '../../host/receipts.ts';
import { applyUndo, undoStepsOf, describeUndo } from '../unconfigure/undo.ts';
import type { CliContext } from '../../command/context.ts';
import type { Config } from '../../config/config.ts';
import { restartCommand } from '../../service/declared-job.ts';
import { examine } from '../../host/file-change.ts';
import type { Owner } from '../../host/installed.ts';
import { runScript } from '../root/root-files.ts';
import {
  jobRemovalScript,
  jobScript,
  jobUser,
  systemJobFile,
  systemJobPath,
} from '../../service/system-job.ts';
import {
  declaredJob,
  presentSystemJob,
  servicePaths,
  userServiceFor,
  wantedSystemJob,
} from '../../service/service.ts';
import { buildsOption, orLetIn, waitForBuilds } from '../../client/wait-for-builds.ts';

/** Takes back what an earlier configure told the keeper, where that is not wanted any more. */
export async function dropService(
  layout: Layout,
  context: CliContext,
  { wanted, say }: { wanted: readonly string[]; say: (line: string) => void },
): Promise<void> {
  const paths = servicePaths(context).filter((path) => !wanted.includes(path));
  const receipts = readReceipts(layout.receipts);
  const isIn = (file: string, path: string) => file === path || file.startsWith(`${path}/`);
  // A directory goes with the last file in it that is wanted.
  const isDropped = (path: string) =>
    paths.some((file) => isIn(file, path)) && !wanted.some((file) => isIn(file, path));
  const dropped = receipts.filter(({ path }) => isDropped(path));
  if (!dropped.some(({ path }) => paths.includes(path))) return;
  // Its keeper ends the daemon with it.
  await waitForBuilds(layout, { timeout: buildsOption[2] }, context);
  await orLetIn(layout, context, async () => userServiceFor(layout, context)?.remove());
  for (const undoing of undoStepsOf(dropped)) {
    applyUndo(undoing);
    for (const line of describeUndo(undoing, 'done')) say(line);
  }
  writeReceipts(
    layout.receipts,
    receipts.filter((receipt) => !dropped.includes(receipt)),
  );
}

interface JobRun {
  readonly layout: Layout;
  readonly context: CliContext;
  readonly owner: Owner;
  /** Print what an administrator runs, and run nothing as root. */
  readonly skipRoot: boolean;
  /** On the output there is JSON, and nothing else. */
  readonly json: boolean;
  readonly say: (line: string) => void;
}

/** Root's part of the job at boot: its file is written, or taken away where the settings ask for none. */
export async function settleSystemJob(config: Config, run: JobRun): Promise<void> {
  const { layout, context, owner, skipRoot, json, say } = run;
  sayDeclared(run);
  const wanted = wantedSystemJob(layout, config, context);
  const present = presentSystemJob(layout, context);
  if (wanted?.text === present?.text) return;
  const script =
    wanted !== undefined ? jobScript(wanted, owner) : present && jobRemovalScript(present);
  if (script === undefined) return;
  if (skipRoot) {
    const print = (line: string) => context[json ? 'err' : 'out'](line);
    return printScript(script, context, print);
  }
  if (wanted === undefined) {
    await waitForBuilds(layout, { timeout: buildsOption[2] }, context);
    const take = () => runAsRoot(script, context, gone);
    return (await orLetIn(layout, context, take)).forEach(say);
  }
  (await runAsRoot(script, context)).forEach(say);
  say('The daemon starts when this machine starts; now: linuxkit-builder start');
}

/** The same without making it, as a dry run shows it. */
export function plannedJob(
  config: Config,
  { layout, context }: Pick<JobRun, 'layout' | 'context'>,
): string[] {
  const wanted = wantedSystemJob(layout, config, context);
  if (wanted?.text === presentSystemJob(layout, context)?.text) return [];
  if (wanted === undefined) return plannedJobRemoval(layout, context).map((line) => `# ${line}`);
  const file = systemJobFile(wanted);
  const examined = examine(file);
  return examined.kind === 'change'
    ? changeDiff(examined.change)
    : [`# ${file.path}: ${file.purpose} (only root can see what is there)`];
}

/** Takes the job at boot away where it is this builder's; prints the script for that with `print`. */
export async function removeSystemJob(
  layout: Layout,
  context: CliContext,
  { print }: { print?: (line: string) => void } = {},
): Promise<void> {
  const present = presentSystemJob(layout, context);
  if (present === undefined) return;
  const script = jobRemovalScript(present);
  if (print === undefined)
    (await runAsRoot(script, context, gone)).forEach((line) => context.out(line));
  else printScript(script, context, print);
}

/** The same for whoever asks by root's own copy of this program: his own alone, or, with nobody named, anybody's. */
export async function removeJobOf(user: string | undefined, context: CliContext): Promise<void> {
  const present = presentSystemJob(layoutOf('/'), context, 'any');
  if (present === undefined) return;
  if (user !== undefined && jobUser(present) !== user)
    return context.out(
      `Left ${systemJobPath(present.kind, present.tree)}: it is the job of ${jobUser(present)}.`,
    );
  const said = await runAsRoot(jobRemovalScript(present, user), context, gone);
  said.forEach((line) => context.out(line));
}

/** Alone where it goes, so that it can be kept or piped. */
function printScript(script: string, context: CliContext, print: (line: string) => void): void {
  context.err('Not done, as asked: the job at boot. An administrator runs as root, by /bin/sh:');
  script.trimEnd().split('\n').forEach(print);
}

/** What would be done, in words. */
export const plannedJobRemoval = (layout: Layout, context: CliContext): string[] => {
  const present = presentSystemJob(layout, context);
  return present === undefined
    ? []
    : [`Would delete ${systemJobPath(present.kind, present.tree)}, and end the daemon with it`];
};

const asItWas = 'the job at boot is as it was.';
/** A removal goes on as far as it can, and says what it could not do. */
const gone = 'see what it said.';

const runAsRoot = (
  script: string,
  context: CliContext,
  so: string = asItWas,
): Promise<readonly string[]> =>
  runScript(script, {
    isRoot: process.getuid?.() === 0,
    sudo: 'sudo',
    signal: context.signal,
    err: (line) => context.err(line),
    refused: {
      so,
      hint: 'Run it again where you can become root; or an administrator runs, as root, what it prints with --no-root.',
    },
  });

/** Who else starts it is named, and left alone. */
function sayDeclared({ layout, context, say }: JobRun): void {
  const declared = declaredJob(context);
  if (declared === undefined) return;
  const { by, path, directory = layout.root } = declared;
  const its = directory === layout.root ? '' : ` (for the builder in ${directory})`;
  const restart = restartCommand(declared, process.getuid?.() ?? 0);
  say(
    `${by} declares the job that starts the daemon${its}: ${path} is left alone. To restart it: ${restart}`,
  );
}
