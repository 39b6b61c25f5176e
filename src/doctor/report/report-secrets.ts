/** What is not to be told, from where it is: our own variables and keys, and the files of Nix and ssh whose words doctor may repeat. */
import { hostname } from 'node:os';
import type { CliContext } from '../../command/context.ts';
import type { Layout } from '../../config/layout.ts';
import { settingNames } from '../../config/settings.ts';
import { systemPathsOf, type SystemPaths } from '../../host/system-paths.ts';
import { readIfThere } from '../../system/files/files.ts';
import { OthersFiles } from '../../system/files/others-files.ts';
import { thisUser } from '../../system/host/user.ts';
import { fieldsOf } from '../../system/socket/json-lines.ts';
import type { Known } from './report-scrub.ts';

/** Variables of which what they say is no secret. */
const told = new Set([
  'PATH',
  'HOME',
  'PWD',
  'OLDPWD',
  'SHELL',
  'LINUXKIT_BUILDER_TREE',
  'LINUXKIT_BUILDER_DIR',
]);

export function secretsOf(layout: Layout, { env, home }: CliContext): Known {
  const places = systemPathsOf(env['LINUXKIT_BUILDER_TREE']);
  const others = new OthersFiles();
  const variables = Object.entries(env).filter(([name]) => !told.has(name));
  const { clientKey, rootKey, hostKey } = layout;
  const files = [...filesOfOthers(places, env), clientKey, rootKey, hostKey];
  return {
    names: [
      [layout.root, '(state directory)'],
      [places.home, '~'],
      [home, '~'],
      [thisUser().name, '(user)'],
      [hostname(), '(host)'],
      [hostname().split('.')[0] ?? '', '(host)'],
    ],
    texts: [
      ...variables.map(([, value]) => value ?? ''),
      ...wordsIn(readIfThere(layout.config) ?? ''),
      ...files.map((path) => others.read(path) ?? ''),
    ],
  };
}

function filesOfOthers({ roots, home, etcNix }: SystemPaths, env: NodeJS.ProcessEnv): string[] {
  const config = env['XDG_CONFIG_HOME'] ?? `${home}/.config`;
  return [
    roots.nixConf,
    roots.machines,
    roots.ssh,
    `${config}/nix/nix.conf`,
    `${home}/.ssh/config`,
    `${etcNix}/nix.custom.conf`,
    `${home}/.netrc`,
    `${etcNix}/netrc`,
  ];
}

/** What somebody has put into the settings that no setting takes: doctor repeats it. */
function wordsIn(config: string): readonly string[] {
  try {
    return Object.entries(fieldsOf(JSON.parse(config))).flatMap(([name, value]) => [
      ...(settingNames.includes(name) ? [] : [name]),
      ...(typeof value === 'number' ? [] : [JSON.stringify(value)]),
    ]);
  } catch {
    // It is no JSON: all of it is what somebody has written.
    return [config];
  }
}
