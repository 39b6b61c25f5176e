/** The user's own configuration of ssh, and root's, asked of ssh. */
import { join } from 'node:path';
import type { Layout } from '../../config/layout.ts';
import { daemonVariable } from '../daemon-environment.ts';
import { rootPaths, type SystemPaths } from '../../host/system-paths.ts';
import { loopbackOf, newerOptions, saidIn } from './newer.ts';
import { takenBack, type TakenBack } from './taken-back.ts';
import { isTakenIn } from './taken-in.ts';
import { isLoose, pathsTo } from '../../system/files/loose.ts';
import { OthersFiles } from '../../system/files/others-files.ts';
import { namesOnPath } from '../../system/process/find-program.ts';
import type { CliContext } from '../../command/context.ts';
import { rootProgram } from '../../system/process/become-root.ts';

/** Whether it takes in ours; undefined where that is root's, too. In a tree the file that ssh would find by itself is named. */
const userTakesIn = ({
  layout,
  places,
  tree,
  context,
}: {
  readonly layout: Layout;
  readonly places: SystemPaths;
  readonly tree: string;
  readonly context: Pick<CliContext, 'signal'>;
}): Promise<boolean | undefined> =>
  // Root's takes in root's file, and not the daemon's.
  places.home === places.rootHome
    ? Promise.resolve(undefined)
    : isTakenIn({
        ours: layout.sshConfig,
        file: tree === '' ? undefined : join(places.home, '.ssh/config'),
        signal: context.signal,
      });

/** The same of root's, as far as we may read it. */
const rootTakesIn = ({
  places,
  context,
}: {
  readonly places: SystemPaths;
  readonly context: Pick<CliContext, 'signal'>;
}): Promise<boolean | undefined> => {
  const { sshConfig, ssh } = rootPaths(places);
  return isTakenIn({ ours: sshConfig, file: ssh, signal: context.signal });
};

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

/** What configure goes by of the user's ssh. */
export const userSsh = async (world: World & { readonly layout: Layout }): Promise<SshFound> =>
  foundIn(await userTakesIn(world), await userTakenBack(world));

/** And of root's. */
export const rootSsh = async (world: World & { readonly sudo: boolean }): Promise<SshFound> =>
  foundIn(await rootTakesIn(world), await rootTakenBack(world));

const foundIn = (takenIn: boolean | undefined, { said, left }: TakenBack): SshFound => ({
  known: { takenIn, takenBack: said },
  left,
});

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
  const { ssh: file, sshConfig } = rootPaths(places);
  const own = ['-F', file];
  const programs = sshAtHand(tree, context.env);
  const asked = { programs, signal: context.signal };
  if (tree !== '') return takenBack({ ...asked, ssh: ['ssh'], configurations: [own] });
  const asRoot = commandOfRoot(programs, sudo);
  if (asRoot !== undefined) {
    const found = await takenBack({
      ...asked,
      ssh: asRoot,
      configurations: [[], own, everybodys],
    });
    if (found.isHeard) return found;
  }
  const found = await takenBack({ ...asked, ssh: ['ssh'], configurations: [own, everybodys] });
  const before = new OthersFiles().read(sshConfig) ?? '';
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
  const daemons = daemonVariable('PATH', tree, new OthersFiles().read)?.value;
  const path = [env['PATH'] ?? process.env['PATH'], daemons, '/usr/bin'];
  const names = namesOnPath('ssh', path.filter((each) => each !== undefined).join(':'));
  // Root runs nothing that another user can change.
  const isRoots = tree === '' && process.geteuid?.() === 0;
  return isRoots ? names.filter((name) => !pathsTo(name).some(isLoose)) : names;
};
