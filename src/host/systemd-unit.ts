/** What systemd is given: a unit of the user's. Pure text, and where it goes. */
import { join } from 'node:path';
import type { WantedFile } from './file-change.ts';
import type { JobValues } from './launch-agent.ts';

export const unitName = 'linuxkit-builder.service';

/** Where it is; `configHome` is XDG_CONFIG_HOME or ~/.config. */
export const unitPath = (configHome: string): string => join(configHome, 'systemd/user', unitName);

export const unitFile = (configHome: string, values: JobValues): WantedFile => ({
  path: unitPath(configHome),
  purpose: 'systemd starts the daemon at your login, and again after a crash',
  content: {
    kind: 'whole',
    text: unitText(values),
    secret: false,
    isTheirs: (now) => !now.includes(head),
  },
  mode: 0o644,
  directoryMode: 0o755,
  byHand: '',
});

/** How a unit that we wrote begins. */
const head = `[Unit]
Description=A Linux machine that Nix can build on
Documentation=man:linuxkit-builder(1)
`;

/** The same promises as launchd's plist: again after a crash and only then, 60 s to leave, nobody else reads what it writes. */
export const unitText = ({
  node,
  main,
  state,
  path,
}: JobValues): string => `${head}# Where one of them is gone, systemd says so once and leaves it, instead of trying it every 10 s.
ConditionFileIsExecutable=${specifiers(node)}
ConditionPathExists=${specifiers(main)}

[Service]
Type=exec
ExecStart=${[node, main, 'daemon', '--managed', '--directory', state].map((each) => word(each)).join(' ')}
Environment=${word(`PATH=${path}`, false)}
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

/** systemd.unit(5): a condition is the rest of its line, in which only % means something. */
const specifiers = (text: string): string => text.replaceAll('%', '%%');

/** systemd.syntax(7): quotes, and % for specifiers; in ExecStart $ is a variable, in Environment it is not. */
function word(text: string, isCommand = true): string {
  const escaped = specifiers(text.replaceAll('\\', '\\\\').replaceAll('"', '\\"'));
  return `"${isCommand ? escaped.replaceAll('$', '$$$$') : escaped}"`;
}
