/** The user's own configuration of ssh, and root's, asked of ssh. */
import { join } from 'node:path';
import type { Layout } from '../../config/layout.ts';
import { daemonVariable } from '../daemon-environment.ts';
import type { SystemPaths } from '../../host/system-paths.ts';
import { loopbackOf, newerOptions, saidIn } from './newer.ts';
import { takenBack, type TakenBack } from './taken-back.ts';
import { alias } from './stanza.ts';
import { saysAllOf } from './effective.ts';
import { run, succeeded } from '../../system/process/child.ts';
import { isLoose, pathsTo } from '../../system/files/loose.ts';
import { OthersFiles } from '../../system/files/others-files.ts';
import { namesOnPath } from '../../system/process/find-program.ts';
import type { CliContext } from '../../command/context.ts';
import { rootProgram } from '../../system/process/become-root.ts';

interface World {
  readonly places: SystemPaths;
  readonly tree: string;
  readonly context: Pick<CliContext, 'env' | 'signal'>;
}

/** What a configuration of ssh says of our host, before we write. */
export interface SshFound {
  /** What our files for it go by. */
  readonly known: {
    readonly takenIn: boolean | undefined;
    readonly takenBack: TakenBack['said'];
  };
  /** What counts for the guest too, and is not taken back. */
  readonly left: TakenBack['left'];
}

/** What configure goes by of the user's ssh. In a tree the file that ssh would find by itself is named. */
export async function userSsh(world: World & { readonly layout: Layout }): Promise<SshFound> {
  const { layout, places, tree, context } = world;
  const file = tree === '' ? undefined : join(places.home, '.ssh/config');
  // Where it is root's, too, it takes in root's file, and not the daemon's.
  const takenIn =
    places.home === places.rootHome
      ? undefined
      : await isTakenIn({ ours: layout.sshConfig, file, signal: context.signal });
  return foundIn(takenIn, await userTakenBack(world));
}

/** And of root's, as far as we may read it. */
export async function rootSsh(world: World & { readonly sudo: boolean }): Promise<SshFound> {
  const { sshConfig: ours, ssh: file } = world.places.roots;
  const takenIn = await isTakenIn({ ours, file, signal: world.context.signal });
  return foundIn(takenIn, await rootTakenBack(world));
}

const foundIn = (takenIn: boolean | undefined, { said, left }: TakenBack): SshFound => ({
  known: { takenIn, takenBack: said },
  left,
});

interface TakenInOptions {
  /** The file of ours that it is to take in, as it is now. */
  readonly ours: string;
  /** The configuration; undefined for the one that ssh finds by itself. */
  readonly file: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Whether somebody's configuration of ssh takes in ours, by the word of ssh itself: where a line stands, and how it is written, is theirs.
 * Undefined where ssh does not say: there is none, ours is not there yet, or it stumbles over a line.
 */
export async function isTakenIn({
  ours,
  file,
  signal,
}: TakenInOptions): Promise<boolean | undefined> {
  const list = async (argv: readonly string[]) => {
    const ran = await run('ssh', ['-G', ...argv, alias], { timeoutMs: 10_000, signal });
    return succeeded(ran) ? ran.stdout : undefined;
  };
  const text = new OthersFiles().read(ours);
  const alone = text === undefined ? undefined : await list(['-F', ours]);
  const all = alone === undefined ? undefined : await list(file === undefined ? [] : ['-F', file]);
  if (text === undefined || alone === undefined || all === undefined) return undefined;
  return saysAllOf({ text, alone, all });
}

/** What the user's stanza takes back of others' options. */
export const userTakenBack = ({ places, tree, context }: World): Promise<TakenBack> =>
  takenBack({
    ssh: ['ssh'],
    configurations: [tree === '' ? [] : ['-F', join(places.home, '.ssh/config')]],
    programs: sshAtHand(tree, context.env),
    signal: context.signal,
  });

/**
 * The same of root's: asked as root where we are root, or `sudo` may be without a question; else as far as its files can be read, and what
 * was taken back before stays: whether sudo asks for a password decides nothing.
 */
export async function rootTakenBack(world: World & { readonly sudo: boolean }): Promise<TakenBack> {
  const { places, tree, context, sudo } = world;
  const own = ['-F', places.roots.ssh];
  const programs = sshAtHand(tree, context.env);
  const ask = (ssh: readonly string[], ...configurations: readonly (readonly string[])[]) =>
    takenBack({ ssh, configurations, programs, signal: context.signal });
  if (tree !== '') return ask(['ssh'], own);
  const asRoot = commandOfRoot(programs, sudo);
  if (asRoot !== undefined) {
    const found = await ask(asRoot, [], own, everybodys);
    if (found.isHeard) return found;
  }
  return withSaidBefore(await ask(['ssh'], own, everybodys), places.roots.sshConfig);
}

/** `path`: root's stanza, as it is now. */
function withSaidBefore(found: TakenBack, path: string): TakenBack {
  const before = new OthersFiles().read(path) ?? '';
  const kept = saidIn(before, newerOptions(loopbackOf(process.platform)));
  const names = new Set(found.said.map(({ name }) => name));
  return { ...found, said: [...found.said, ...kept.filter(({ name }) => !names.has(name))] };
}

/** An ssh that is nobody's but root's to change, run as root; undefined where there is none, or sudo may not be asked. */
function commandOfRoot(programs: readonly string[], sudo: boolean): readonly string[] | undefined {
  const ssh = programs.find((path) => !pathsTo(path).some(isLoose));
  if (ssh === undefined) return undefined;
  return process.geteuid?.() === 0 ? [ssh] : sudo ? [rootProgram(), '-n', ssh] : undefined;
}

/** What ssh reads after the user's own file, where it is Debian's or Apple's. */
const everybodys = ['-F', '/etc/ssh/ssh_config'];

/** The user's, those of package managers, the system's own, and what nix-daemon finds. */
const sshAtHand = (tree: string, env: NodeJS.ProcessEnv): readonly string[] => {
  const daemons = daemonVariable('PATH', tree, new OthersFiles())?.value;
  const path = [env['PATH'] ?? process.env['PATH'], daemons, '/usr/bin'];
  const names = namesOnPath('ssh', path.filter((each) => each !== undefined).join(':'));
  // Root runs nothing that another user can change.
  const isRoots = tree === '' && process.geteuid?.() === 0;
  return isRoots ? names.filter((name) => !pathsTo(name).some(isLoose)) : names;
};
