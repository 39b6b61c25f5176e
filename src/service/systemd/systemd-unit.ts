/** What systemd is given: a unit of the user's. Pure text, and where it goes. */
import { advice, ours } from '../../system/advice.ts';
import { join } from 'node:path';
import { instance } from '../../config/instance.ts';
import type { WantedFile } from '../../host/file-change.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import type { JobValues } from '../launchd/launch-agent.ts';

export const { unitName } = instance;

/** Where it is; `configHome` is XDG_CONFIG_HOME or ~/.config. */
export const unitPath = (configHome: string): string => join(configHome, 'systemd/user', unitName);

/** `path`: as {@link unitPath} has it. */
export const unitFile = (path: string, values: JobValues): WantedFile => ({
  path,
  purpose: 'systemd starts the daemon when you log in, and restarts it after a crash',
  content: {
    kind: 'whole',
    text: unitText(values),
    secret: false,
    isTheirs: (now) => !now.includes(unitHead),
  },
  mode: 0o644,
  directoryMode: 0o755,
  byHand: '',
});

/**
 * The same values by names that fit into a unit, whose every setting is a line (systemd.syntax(7)). Failed `path-unfit` for a file without
 * such a name.
 */
export function fitForUnit({ node, named, main, namedMain, path, ...rest }: JobValues): JobValues {
  const first = (...names: readonly [string, string]) => {
    const name = names.find(isLine);
    if (name === undefined) throw new Failed(pathUnfit(names[0]));
    return name;
  };
  return {
    ...rest,
    node: first(node, named),
    named: first(named, node),
    main: first(main, namedMain),
    namedMain: first(namedMain, main),
    path: path.split(':').filter(isLine).join(':'),
  };
}

const isLine = (text: string): boolean => !/\p{Cc}/u.test(text);

export const pathUnfit = (file: string): Failure => ({
  kind: 'path-unfit',
  message: `systemd cannot start ${JSON.stringify(file)}: the path contains a control character. Nothing was changed.`,
  hint: advice`Rename the directory, or start the daemon yourself: ${ours('configure', '--no-autostart')}, then ${ours('start')}`,
  exit: Exit.config,
});

/** How a unit that we wrote begins. */
export const unitHead = `[Unit]
Description=A Linux machine that Nix can build on
Documentation=man:linuxkit-builder(1)
`;

/** The same promises as launchd's plist: again after a crash and only then, 60 s to leave, nobody else reads what it writes. */
export const unitText = (
  values: JobValues,
): string => `${unitHead}# Where one of them is gone, systemd says so once and leaves it, instead of trying it every 10 s.
${conditions(values).join('\n')}

[Service]
Type=exec
ExecStart=${command(values)
  .map((each) => unitWord(each))
  .join(' ')}
Environment=${unitWord(`PATH=${values.path}`, false)}
# It ends with 0 when it is told to stop; anything else is a crash.
Restart=on-failure
RestartSec=10
# A Node that is too old for the program does not get newer.
RestartPreventExitStatus=69
# Its children end with it, in its own order; systemd only sweeps up after 60 s.
KillMode=mixed
TimeoutStopSec=60
UMask=0077
WorkingDirectory=/

[Install]
WantedBy=default.target
`;

/** With `|` one of them is enough (systemd.unit(5)): so only one of the two files can be looked for under two names. */
function conditions({ node, named, main, namedMain }: JobValues): string[] {
  const nodes =
    named === node
      ? [`=${specifiers(node)}`]
      : [named, node].map((each) => `=|${specifiers(each)}`);
  return [
    ...nodes.map((node) => `ConditionFileIsExecutable${node}`),
    ...(namedMain === main ? [`ConditionPathExists=${specifiers(main)}`] : []),
  ];
}

/** The names first, and where they lead nowhere the files that they led to. */
function command({ node, named, main, namedMain, state }: JobValues): string[] {
  const daemon = ['daemon', '--managed', '--directory', state];
  return named === node && namedMain === main
    ? [node, main, ...daemon]
    : ['/bin/sh', '-c', choose, 'sh', named, node, namedMain, main, ...daemon];
}

/** Leaves with 69 where both names of our program are gone, so that it is not tried again. */
const choose = [
  'node=$1; [ -x "$node" ] || node=$2',
  'main=$3; [ -e "$main" ] || main=$4',
  '[ -e "$main" ] || { echo "$main does not exist. Run: linuxkit-builder configure"; exit 69; }',
  // A name may lead to another Node today, which says by 69 that it is too old.
  '"$node" "$main" --version >/dev/null 2>&1; [ $? != 69 ] || node=$2',
  'shift 4; exec "$node" "$main" "$@"',
].join('; ');

/** systemd.unit(5): a condition is the rest of its line, in which only % means something. */
const specifiers = (text: string): string => text.replaceAll('%', '%%');

/** systemd.syntax(7): quotes, and % for specifiers; in ExecStart $ is a variable, in Environment it is not. */
export function unitWord(text: string, isCommand = true): string {
  const escaped = specifiers(text.replaceAll('\\', '\\\\').replaceAll('"', '\\"'));
  return `"${isCommand ? escaped.replaceAll('$', '$$$$') : escaped}"`;
}

/** What a unit gives that variable of its environment, in a line of its own. */
export function unitVariable(text: string, name: string): string | undefined {
  const word = `"?${name}=((?:[^"\\\\\\n]|\\\\.)*)"?`;
  const value = new RegExp(`^Environment=${word}$`, 'm').exec(text)?.[1];
  return value?.replace(/\\(.)/g, '$1').replaceAll('%%', '%');
}
