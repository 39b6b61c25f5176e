/**
 * Root's part run by this program itself, as root for another user: by a sudoers rule for a copy of it that is root's own. Of that user
 * it believes nothing: who it is says sudo (or doas), where things are says the system, and the values have to be such.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { defaultStateDirectory } from '../../config/layout.ts';
import { doorProxy } from '../../nix/ssh/door-helper.ts';
import { readInstalled, refuseSecondUser, type Owner } from '../../host/installed.ts';
import { detectNix, machinesKeeper } from '../../nix/variant.ts';
import { systemPathsOf } from '../../host/system-paths.ts';
import { leftToPerson } from '../survey.ts';
import { nothingToUndo, removalNeeds, removalScript } from './root-removal.ts';
import { rootNeeds, rootScript, type RootNeeds } from './root-files.ts';
import { runScript, runsFor, type ScriptRun } from './run-script.ts';
import { parseRootValues } from './root-plan.ts';
import { run, succeeded } from '../../system/process/child.ts';
import { systemPath } from '../../system/process/find-program.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { isLoose, pathsTo } from '../../system/files/loose.ts';
import type { CliContext } from '../../command/context.ts';
import { SshAsker } from '../../nix/ssh/ask-ssh.ts';
import { rootTakenBack } from '../../nix/ssh/user-ssh.ts';

/** `configure --root-part`: the values are on the input. */
export async function performRootPart(text: string, context: CliContext): Promise<void> {
  refuseLooseProgram(context);
  takeRootsPath(context);
  const needs = await needsOf(parseRootValues(text), context);
  const said = await runScript(rootScript(needs), asRoot(context));
  said.forEach((line) => context.out(line));
  for (const line of needs.byHand.flatMap(leftToPerson)) context.err(line);
}

/** For the builder of whoever asks, on this machine. */
async function needsOf(
  told: ReturnType<typeof parseRootValues>,
  context: CliContext,
): Promise<RootNeeds> {
  const tree = context.env['LINUXKIT_BUILDER_TREE'] ?? '';
  const systemPaths = systemPathsOf(tree);
  const { roots: paths } = systemPaths;
  const owner = await askingUser(context);
  refuseSecondUser(readInstalled(paths.installed), owner.uid);
  const keeper = machinesKeeper(detectNix(tree, ''));
  const asker = new SshAsker(context.signal);
  const takenBack = (await rootTakenBack({ systemPaths, tree, context, asker, sudo: false })).said;
  const proxy = await doorProxy(told, paths, context.signal);
  return rootNeeds({ ...told, paths, owner, keeper, takenBack, proxy });
}

/** `unconfigure --root-part`, for the builder of whoever asks; `--owner-gone`, for anybody's. */
export async function performRemoval(
  context: CliContext,
  { ownerGone }: { readonly ownerGone: boolean },
): Promise<void> {
  const { roots: paths } = systemPathsOf(context.env['LINUXKIT_BUILDER_TREE']);
  if (!ownerGone) refuseLooseProgram(context);
  takeRootsPath(context);
  const known = readInstalled(paths.installed);
  const owner = ownerGone ? undefined : await askingUser(context);
  if (owner !== undefined) refuseSecondUser(known, owner.uid);
  const { removeJobOf } = await import('../boot-job.ts');
  await removeJobOf(owner?.name, context);
  const needs = removalNeeds({ paths, of: undefined });
  if (needs.kind !== 'undo') return context.out(nothingToUndo);
  const script = removalScript(needs);
  for (const line of await runScript(script, asRoot(context))) context.out(line);
}

/** In a tree whoever runs it is its root. */
const asRoot = (context: CliContext): ScriptRun => ({
  ...runsFor(context),
  isRoot: process.geteuid?.() === 0 || context.env['LINUXKIT_BUILDER_TREE'] !== undefined,
  refused: scriptRefused,
});

/**
 * Whom sudo or doas has let run this as root; undefined where that is root, or nobody. A script between may pass on both names, of which
 * one is empty. Where both are, somebody is behind it of whom nothing is known: '', which is no user's name.
 */
function userBehind({ SUDO_UID, DOAS_USER }: NodeJS.ProcessEnv): string | undefined {
  const given = [SUDO_UID, DOAS_USER].filter((each) => each !== undefined);
  const user = given.find((each) => each !== '') ?? given[0];
  return user === '0' || user === 'root' ? undefined : user;
}

/** As sudo or doas knows the user; the name and the home as the system does. */
async function askingUser({ env, signal }: CliContext): Promise<Owner> {
  const ask = async (script: string, word: string): Promise<string> => {
    const ran = await run('/bin/sh', ['-c', script, 'sh', word], { signal });
    return succeeded(ran) ? ran.stdout.trimEnd() : '';
  };
  const asking = userBehind(env) ?? String(process.getuid?.() ?? 0);
  const uid = /^\d+$/.test(asking) ? asking : await ask('id -u "$1"', asking);
  const name = /^\d+$/.test(uid) ? await ask('id -un "$1"', uid) : '';
  const home = name === '' ? '' : await homeOf(uid, name, ask);
  if (!home.startsWith('/')) throw new Failed(noSuchUser(asking));
  return { name, uid: Number(uid), directory: defaultStateDirectory({}, home) };
}

/** By getent(1), for any name; macOS has none, and its shell is asked for those in which nothing means something to it. */
async function homeOf(
  uid: string,
  name: string,
  ask: (script: string, word: string) => Promise<string>,
): Promise<string> {
  const entry = await ask('getent passwd "$1"', uid);
  if (entry !== '') return entry.split(':')[5] ?? '';
  const isPlain = /^[\p{L}_][\p{L}\p{M}\p{N}_.@-]*$/u.test(name);
  return isPlain ? ask('eval "printf %s ~$1"', name) : '';
}

/** Programs are looked for where only root can put them: sudo may leave its user's PATH as it is. */
function takeRootsPath({ env }: CliContext): void {
  if (userBehind(env) === undefined) return;
  process.env['PATH'] = systemPath;
}

/** What runs as root for others must be nobody else's to change. */
function refuseLooseProgram({ env, assets }: CliContext): void {
  if (userBehind(env) === undefined) return;
  const dist = join(assets, 'dist');
  const parts = readdirSync(dist).map((name) => join(dist, name));
  const programs = [process.execPath, join(assets, 'package.json'), ...parts];
  const loose = [...new Set(programs.flatMap(pathsTo))].find(isLoose);
  if (loose === undefined) return;
  throw new Failed(programLoose(loose));
}

export const scriptRefused = {
  so: 'see its output.',
  hint: 'Correct that, and run this again.',
} as const;

export const noSuchUser = (user: string): Failure => ({
  kind: 'user-unknown',
  message:
    user === '' ? 'It is not known which user runs this as root.' : `There is no user ${user}.`,
  hint: 'Run it with sudo or doas, which name the user.',
  exit: Exit.noPermission,
});

export const programLoose = (path: string): Failure => ({
  kind: 'program-loose',
  message: `${path} can be changed by users other than root, so it is not run as root. Nothing was changed.`,
  hint: 'Install Node and this program where only root can write, or run configure without sudo: it then runs nothing of its own as root.',
  exit: Exit.noPermission,
});
