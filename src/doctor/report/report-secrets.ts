/** What is not to be told, from where it is: our own variables and keys, and the files of others whose words doctor may repeat. */
import { hostname } from 'node:os';
import type { CliContext } from '../../command/context.ts';
import type { Layout } from '../../config/layout.ts';
import { settingNames } from '../../config/settings.ts';
import { systemPathsOf } from '../../host/system-paths.ts';
import { readIfThere } from '../../system/files/files.ts';
import { OthersFiles } from '../../system/files/others-files.ts';
import { thisUser } from '../../system/host/user.ts';
import { fieldsOf } from '../../system/socket/json-lines.ts';
import { textsOfOthers } from './report-files.ts';
import { secretName } from './report-forms.ts';
import type { KnownSecrets } from './report-scrub.ts';

/** Variables of which what they say is no secret. */
const told =
  /^(PATH|HOME|PWD|OLDPWD|SHELL|SHLVL|USER|LOGNAME|_|SSH_AUTH_SOCK|MEMORY_PRESSURE_WATCH|LINUXKIT_BUILDER_(TREE|DIR))$/;
/** Those that most have, of which a word is as a rule everybody's: of Nix and Node, of shells, desktops, editors and managers of programs. */
const ordinary =
  /^(NIX_(CONFIG|PROFILES|PATH|.*_FILE)|XDG_|LC_|LANG|TERM|COLORTERM|NODE|npm_|LS_COLORS$|NVM_|FNM_|VOLTA_|PNPM_|HOMEBREW_|(F|MAN|INFO)PATH$|EDITOR$|VISUAL$|PAGER$|VSCODE_|GIT_ASKPASS$|__CF|XPC_|ITERM_|GNOME_|SUDO_COMMAND$)/;
/** Those of which no word is. */
const secret = new RegExp(`${secretName}|_proxy$|^NIX_SSHOPTS$`, 'i');

export function secretsOf(
  layout: Layout,
  { env, home }: Pick<CliContext, 'env' | 'home'>,
): KnownSecrets {
  const tree = env['LINUXKIT_BUILDER_TREE'] ?? '';
  const systemPaths = systemPathsOf(tree);
  const variables = Object.entries(env).filter(([name]) => !told.test(name));
  const valuesOf = (kind: 'secret' | 'ordinary' | 'own') =>
    variables.flatMap(([name, value = '']) => (kindOf(name) === kind ? [value] : []));
  const { texts, netrc } = textsOfOthers({ systemPaths, tree, env });
  const { known, unknown } = settingsIn(readIfThere(layout.config) ?? '');
  const keys = [layout.clientKey, layout.rootKey, layout.hostKey];
  return {
    names: [
      [layout.root, '(state directory)'],
      [systemPaths.home, '~'],
      [home, '~'],
      [thisUser().name, '(user)'],
      [hostname(), '(host)'],
      [hostname().split('.')[0] ?? '', '(host)'],
    ],
    secrets: [...valuesOf('secret'), ...netrc],
    values: [...valuesOf('own'), ...unknown],
    texts: [
      ...valuesOf('ordinary'),
      ...known,
      ...texts,
      ...keys.map((path) => new OthersFiles().read(path) ?? ''),
    ],
  };
}

const kindOf = (name: string) =>
  secret.test(name) ? 'secret' : ordinary.test(name) ? 'ordinary' : 'own';

/** What somebody has put into the settings, and those that no setting takes: doctor repeats them. */
function settingsIn(config: string): SettingsIn {
  try {
    const entries = Object.entries(fieldsOf(JSON.parse(config)));
    const isKnown = ([name]: readonly [string, unknown]) => settingNames.includes(name);
    return {
      known: entries.filter(isKnown).flatMap(([, value]) => wordsIn(value)),
      unknown: entries
        .filter((entry) => !isKnown(entry))
        .flatMap(([name, value]) => [name, ...wordsIn(value)]),
    };
  } catch {
    // It is no JSON: all of it is what somebody has written.
    return { known: [], unknown: [config] };
  }
}

interface SettingsIn {
  readonly known: readonly string[];
  readonly unknown: readonly string[];
}

/** The texts in a value, and the names in it. */
function wordsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, each]) => [name, ...wordsIn(each)]);
}
