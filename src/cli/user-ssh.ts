/** The user's own configuration of ssh, and root's, asked of ssh. */
import { join } from 'node:path';
import type { Layout } from '../config/layout.ts';
import { daemonVariable } from '../host/daemon-environment.ts';
import { rootLayout, type Places } from '../host/places.ts';
import { takenBack, type TakenBack } from '../host/ssh-taken-back.ts';
import { isTakenIn } from '../host/ssh-taken-in.ts';
import { OthersFiles } from '../system/others-files.ts';
import { namesOnPath } from '../system/program.ts';
import type { CliContext } from './context.ts';

/** Whether it takes in ours; undefined where that is root's, too. In a tree the file that ssh would find by itself is named. */
const userTakesIn = ({
  layout,
  places,
  tree,
  context,
}: {
  readonly layout: Layout;
  readonly places: Places;
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
  readonly places: Places;
  readonly context: Pick<CliContext, 'signal'>;
}): Promise<boolean | undefined> => {
  const { sshConfig, ssh } = rootLayout(places);
  return isTakenIn({ ours: sshConfig, file: ssh, signal: context.signal });
};

interface World {
  readonly places: Places;
  readonly tree: string;
  readonly context: Pick<CliContext, 'env' | 'signal'>;
}

/** What configure goes by of the user's ssh. */
export const userSsh = async (world: World & { readonly layout: Layout }) => ({
  takenIn: await userTakesIn(world),
  takenBack: (await userTakenBack(world)).said,
});

/** And of root's. */
export const rootSsh = async (world: World & { readonly sudo: boolean }) => ({
  takenIn: await rootTakesIn(world),
  takenBack: (await rootTakenBack(world)).said,
});

/** What the user's stanza takes back of others' options. */
export const userTakenBack = ({ places, tree, context }: World): Promise<TakenBack> =>
  takenBack({
    ssh: ['ssh'],
    configurations: [tree === '' ? [] : ['-F', join(places.home, '.ssh/config')]],
    programs: sshAtHand(tree, context.env),
    signal: context.signal,
  });

/** The same of root's: asked as root where we are root, or `sudo` may be; else as far as its files can be read. */
export function rootTakenBack(world: World & { readonly sudo: boolean }): Promise<TakenBack> {
  const { places, tree, context, sudo } = world;
  const own = ['-F', rootLayout(places).ssh];
  const isRoot = process.getuid?.() === 0;
  const asRoot = tree === '' && (isRoot || sudo);
  return takenBack({
    ssh: asRoot && !isRoot ? ['sudo', '-n', 'ssh'] : ['ssh'],
    configurations: tree === '' ? [...(asRoot ? [[]] : []), own, everybodys] : [own],
    programs: sshAtHand(tree, context.env),
    signal: context.signal,
  });
}

/** What ssh reads after the user's own file, where it is Debian's or Apple's. */
const everybodys = ['-F', '/etc/ssh/ssh_config'];

/** The user's, those of package managers, the system's own, and what nix-daemon finds. */
const sshAtHand = (tree: string, env: NodeJS.ProcessEnv): readonly string[] => {
  const daemons = daemonVariable('PATH', tree, new OthersFiles().read)?.value;
  const path = [env['PATH'] ?? process.env['PATH'], daemons, '/usr/bin'];
  return namesOnPath('ssh', path.filter((each) => each !== undefined).join(':'));
};
