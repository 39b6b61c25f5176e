/** The files of others whose words doctor may repeat: of Nix, of its daemon and of ssh. */
import { readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { SystemPaths } from '../../host/system-paths.ts';
import { withIncluded } from '../../nix/machines.ts';
import { nixesHere } from '../../nix/one-nix.ts';
import { OthersFiles, othersRead } from '../../system/files/others-files.ts';

interface Place {
  readonly places: SystemPaths;
  readonly tree: string;
  readonly env: NodeJS.ProcessEnv;
}

/** What stands in each that doctor has read, or that those it calls have: it may have left some of them out this time. */
export function textsOfOthers({ places, tree, env }: Place) {
  const others = new OthersFiles();
  const { read } = others;
  const { daemons, yours } = nixesHere({ places, tree, env, variant: undefined }, others);
  const said = (name: string) => [daemons, yours].flatMap(({ find }) => find(name)?.value ?? []);
  for (const list of [read(places.roots.machines) ?? '', ...said('builders')])
    withIncluded(list, read);
  const system = join(tree === '' ? '/' : tree, 'etc/ssh');
  for (const home of [places.home, places.rootHome])
    for (const file of [
      join(home, '.ssh/config'),
      join(system, 'ssh_config'),
      ...matching(join(system, 'ssh_config.d/*')),
    ])
      readSsh(file, { home, read, seen: new Set() });
  const netrc = [join(places.home, '.netrc'), join(places.etcNix, 'netrc'), ...said('netrc-file')];
  const textOf = (path: string) => read(path) ?? '';
  return { texts: othersRead().map(textOf), netrc: netrc.map(textOf) };
}

interface SshWorld {
  readonly home: string;
  readonly read: OthersFiles['read'];
  readonly seen: Set<string>;
}

/** With all that it takes in. */
function readSsh(file: string, world: SshWorld): void {
  const { home, read, seen } = world;
  if (seen.has(file)) return;
  seen.add(file);
  for (const [, words = ''] of (read(file) ?? '').matchAll(/^\s*include[\s=]+(.*)/gim))
    for (const [, quoted, bare = ''] of words.matchAll(/"([^"]*)"|(\S+)/g)) {
      const path = (quoted ?? bare).replace(/^~\//, `${home}/`);
      for (const each of matching(resolve(dirname(file), path))) readSsh(each, world);
    }
}

/** The paths that a pattern stands for, as ssh takes it (glob(7)); of brackets any character. */
const matching = (pattern: string): readonly string[] =>
  pattern
    .split('/')
    .slice(1)
    .reduce<readonly string[]>(
      (folders, part) =>
        /[*?[]/.test(part)
          ? folders.flatMap((folder) => namesIn(folder, part).map((name) => `${folder}/${name}`))
          : folders.map((folder) => `${folder}/${part}`),
      [''],
    );

function namesIn(folder: string, pattern: string): readonly string[] {
  const plain = pattern.replace(/\[[^\]]*\]?/g, '?').replace(/[.+^${}()|\]\\]/g, '\\$&');
  const form = new RegExp(`^${plain.replaceAll('*', '.*').replaceAll('?', '.')}$`);
  try {
    const names = readdirSync(`${folder}/`);
    return names.filter(
      (name) => form.test(name) && name.startsWith('.') === pattern.startsWith('.'),
    );
  } catch {
    // None, or not for us to read.
    return [];
  }
}
