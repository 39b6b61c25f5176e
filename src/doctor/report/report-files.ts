/** The files of others whose words doctor may repeat: of Nix, of its daemon and of ssh. */
import { join } from 'node:path';
import type { SystemPaths } from '../../host/system-paths.ts';
import { withIncluded } from '../../nix/machines.ts';
import { nixesHere } from '../../nix/one-nix.ts';
import { configLines, matching } from '../../nix/ssh/config-lines.ts';
import { OthersFiles, othersRead } from '../../system/files/others-files.ts';

interface Place {
  readonly systemPaths: SystemPaths;
  readonly tree: string;
  readonly env: NodeJS.ProcessEnv;
}

/** What stands in each that doctor has read, or that those it calls have: it may have left some of them out this time. */
export function textsOfOthers({ systemPaths, tree, env }: Place) {
  const others = new OthersFiles();
  const { read } = others;
  const { daemons, yours } = nixesHere({ systemPaths, tree, env, variant: undefined }, others);
  const said = (name: string) => [daemons, yours].flatMap(({ find }) => find(name)?.value ?? []);
  for (const list of [read(systemPaths.roots.machines) ?? '', ...said('builders')])
    withIncluded(list, read);
  const system = join(tree === '' ? '/' : tree, 'etc/ssh');
  for (const home of [systemPaths.home, systemPaths.rootHome])
    configLines(
      [
        join(home, '.ssh/config'),
        join(system, 'ssh_config'),
        ...matching(join(system, 'ssh_config.d/*')),
      ],
      { read, home },
    );
  const netrc = [
    join(systemPaths.home, '.netrc'),
    join(systemPaths.etcNix, 'netrc'),
    ...said('netrc-file'),
  ];
  const textOf = (path: string) => read(path) ?? '';
  return { texts: othersRead().map(textOf), netrc: netrc.map(textOf) };
}
