/** The user's own configuration of ssh, and root's, asked of ssh. */
import { join } from 'node:path';
import type { Layout } from '../../config/layout.ts';
import { daemonVariable } from '../daemon-environment.ts';
import type { SystemPaths } from '../../host/system-paths.ts';
import { configLines, setsOption } from './config-lines.ts';
import { loopbackOf, newerOptions, saidIn, type NewerOption } from './newer.ts';
import { describeLeft, takenBack, type TakenBack } from './taken-back.ts';
import { describeRefused, refusedIn } from './refused.ts';
import { unfinishedIn } from './unfinished.ts';
import { whereSet, type WhoseSsh } from './where-set.ts';
import type { SshAsker } from './ask-ssh.ts';
import { alias } from './stanza.ts';
import { saysAllOf } from './effective.ts';
import { isLoose, pathsTo } from '../../system/files/loose.ts';
import { OthersFiles } from '../../system/files/others-files.ts';
import { namesOnPath } from '../../system/process/find-program.ts';
import type { CliContext } from '../../command/context.ts';
import { rootProgram } from '../../system/process/become-root.ts';

interface World {
  readonly systemPaths: SystemPaths;
  readonly tree: string;
  readonly context: Pick<CliContext, 'env' | 'signal'>;
  readonly asker: SshAsker;
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
  /** ssh was not done with it in time: a command that it runs takes too long. */
  readonly isUnfinished: boolean;
  /** ssh accepts it for no host: why, in its own words. */
  readonly refused: string | undefined;
}

/** What configure goes by of the user's ssh. In a tree the file that ssh would find by itself is named. */
export async function userSsh(world: World & { readonly layout: Layout }): Promise<SshFound> {
  const { layout, systemPaths, tree, asker } = world;
  const file = tree === '' ? undefined : join(systemPaths.home, '.ssh/config');
  // Where it is root's, too, it takes in root's file, and not the daemon's.
  const takenIn =
    systemPaths.home === systemPaths.rootHome
      ? undefined
      : await isTakenIn({ ours: layout.sshConfig, file, asker });
  const found = foundIn(takenIn, await userTakenBack(world));
  return lostAbove(found, layout.sshConfig, join(systemPaths.home, '.ssh/config'));
}

/** And of root's, as far as we may read it. */
export async function rootSsh(world: World & { readonly sudo: boolean }): Promise<SshFound> {
  const { sshConfig: ours, ssh: file } = world.systemPaths.roots;
  const takenIn = await isTakenIn({ ours, file, asker: world.asker });
  return lostAbove(foundIn(takenIn, await rootTakenBack(world)), ours, file);
}

const foundIn = (
  takenIn: boolean | undefined,
  { said, left, isUnfinished, refused }: TakenBack,
): SshFound => ({
  known: { takenIn, takenBack: said },
  left,
  isUnfinished,
  refused,
});

/** ssh takes ours in as it is; but an option that ours is to say now is set by lines above it, and those count first. */
function lostAbove(found: SshFound, ours: string, file: string): SshFound {
  const { read } = new OthersFiles();
  const { takenIn, takenBack: said } = found.known;
  const before = read(ours) ?? '';
  const isNew = ({ name }: NewerOption) => !before.includes(`${name} `);
  const [above = ''] = (read(file) ?? '').split(ours, 1);
  const lines = configLines([file], { read: () => above, home: '' });
  const isLost = said.filter(isNew).some(({ name }) => lines.some(setsOption(name.toLowerCase())));
  return takenIn === true && isLost
    ? { ...found, known: { ...found.known, takenIn: false } }
    : found;
}

/** What a person is to know of it, a sentence or two each. */
export const describeFound = (
  { left, isUnfinished, refused }: SshFound,
  asked: WhoseSsh,
): readonly string[] => [
  ...(refused === undefined ? [] : [describeRefused(refusedIn(refused, asked))]),
  ...(isUnfinished ? [describeFault(unfinishedIn(asked))] : []),
  ...describeLeft(left, (name) => whereSet(name, asked)),
];

const describeFault = ({ what, remedy }: ReturnType<typeof unfinishedIn>): string =>
  `${what}. ${remedy}`;

interface TakenInOptions {
  /** The file of ours that it is to take in, as it is now. */
  readonly ours: string;
  /** The configuration; undefined for the one that ssh finds by itself. */
  readonly file: string | undefined;
  readonly asker: SshAsker;
}

/**
 * Whether somebody's configuration of ssh takes in ours, by the word of ssh itself: where a line stands, and how it is written, is theirs.
 * Undefined where ssh does not say: there is none, ours is not there yet, it stumbles over a line, or does not end.
 */
export async function isTakenIn({
  ours,
  file,
  asker,
}: TakenInOptions): Promise<boolean | undefined> {
  const list = async (named: readonly string[]) => {
    const listed = await asker.ask({ ssh: ['ssh'], file: named, argv: [alias] });
    return listed.kind === 'listed' ? listed.text : undefined;
  };
  const text = new OthersFiles().read(ours);
  const alone = text === undefined ? undefined : await list(['-F', ours]);
  const all = alone === undefined ? undefined : await list(file === undefined ? [] : ['-F', file]);
  if (text === undefined || alone === undefined || all === undefined) return undefined;
  return saysAllOf({ text, alone, all });
}

/** What the user's stanza takes back of others' options. */
export async function userTakenBack({
  layout,
  systemPaths,
  tree,
  context,
  asker,
}: World & { readonly layout: Layout }): Promise<TakenBack> {
  const found = await takenBack({
    ssh: ['ssh'],
    configurations: [tree === '' ? [] : ['-F', join(systemPaths.home, '.ssh/config')]],
    programs: sshAtHand(tree, context.env),
    asker,
    signal: context.signal,
  });
  return found.isUnfinished ? withSaidBefore(found, layout.sshConfig) : found;
}

/**
 * The same of root's: asked as root where we are root, or `sudo` may be without a question; else as far as its files can be read, and what
 * was taken back before stays: whether sudo asks for a password decides nothing.
 */
export async function rootTakenBack(world: World & { readonly sudo: boolean }): Promise<TakenBack> {
  const { systemPaths, tree, context, asker, sudo } = world;
  const own = ['-F', systemPaths.roots.ssh];
  const programs = sshAtHand(tree, context.env);
  const ask = (ssh: readonly string[], ...configurations: readonly (readonly string[])[]) =>
    takenBack({ ssh, configurations, programs, asker, signal: context.signal });
  const kept = (found: TakenBack) => withSaidBefore(found, systemPaths.roots.sshConfig);
  const asRoot = tree === '' ? commandOfRoot(programs, sudo) : ['ssh'];
  if (asRoot !== undefined) {
    const found = await (tree === '' ? ask(asRoot, [], own, everybodys) : ask(asRoot, own));
    if (found.isUnfinished) return kept(found);
    // sudo may have refused as well.
    if (found.isHeard || asRoot.length === 1) return found.isHeard ? found : kept(found);
  }
  return { ...kept(await ask(['ssh'], own, everybodys)), refused: undefined };
}

/** `path`: the stanza, as it is now. */
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
