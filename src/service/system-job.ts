/**
 * The job that the system itself starts, at boot and without a login: one of launchd's `system` domain, or a unit of systemd's. It runs
 * as the daemon's owner and never as root; only its file is root's. Pure text: that file, and root's two scripts for it.
 */
import { join } from 'node:path';
import type { ServiceKind } from './declared-job.ts';
import type { WantedFile } from '../host/file-change.ts';
import type { Owner } from '../host/installed.ts';
import { label, plistText, xmlText, type JobValues } from './launchd/launch-agent.ts';
import { onlyRoots } from '../host/root/root-shell.ts';
import { plistOf, stringIn } from '../system/plist.ts';
import { shellWord } from '../system/shell.ts';
import { unitName, unitText, unitWord } from './systemd/systemd-unit.ts';

/** By which a file of that name is known to be ours, and not a configuration's or a person's. */
export const jobMark = 'Written by linuxkit-builder configure.';

/** Where it is; `tree` stands for /. */
export const systemJobPath = (kind: ServiceKind, tree: string): string =>
  join(
    tree === '' ? '/' : tree,
    kind === 'launchd' ? `Library/LaunchDaemons/${label}.plist` : `etc/systemd/system/${unitName}`,
  );

/** Its file, which is root's. `tree`: below which that is; empty for the machine itself. */
export interface SystemJob {
  readonly kind: ServiceKind;
  readonly tree: string;
  readonly text: string;
}

/** The file, for whoever is shown what root would write. */
export const systemJobFile = ({ kind, tree, text }: SystemJob): WantedFile => ({
  path: systemJobPath(kind, tree),
  purpose: 'the system starts the daemon at boot',
  content: { kind: 'whole', text, secret: false },
  mode: 0o644,
  directoryMode: 0o755,
  byHand: '',
});

/** Whether it starts the daemon of that state directory: of a unit by the whole word that we write, as systemd quotes it. */
export const isJobOf = ({ kind, text }: Pick<SystemJob, 'kind' | 'text'>, root: string): boolean =>
  kind === 'systemd'
    ? text.includes(`"--directory" ${unitWord(root)}\n`)
    : stringIn(plistOf(text), 'EnvironmentVariables', 'LINUXKIT_BUILDER_DIR') === root;

/** The login name of whoever it runs as; empty where it does not say. */
export const jobUser = ({ kind, text }: Pick<SystemJob, 'kind' | 'text'>): string =>
  (kind === 'systemd' ? /^User=(.*)$/m.exec(text)?.[1] : stringIn(plistOf(text), 'UserName')) ?? '';

/** launchd's file: the agent's, with a user in place of the sessions that it may be loaded in. */
export function systemPlist(
  template: string,
  values: Pick<JobValues, 'state' | 'path'> & { readonly launcher: string },
  { name, home }: { readonly name: string; readonly home: string },
): string {
  const user = `    <key>UserName</key>\n    <string>${xmlText(name)}</string>\n`;
  const homeEntry = `        <key>HOME</key>\n        <string>${xmlText(home)}</string>\n`;
  return plistText(template, values)
    .replace(
      / *<key>LimitLoadToSessionType<\/key>\n *<array>\n(.*<string>.*\n)* *<\/array>\n/,
      () => user,
    )
    .replace(/( *<key>PATH<\/key>\n)/, (path) => homeEntry + path)
    .replace('<plist ', `<!-- ${jobMark} -->\n<plist `);
}

/** systemd's. */
export const systemUnit = (values: JobValues, name: string): string =>
  unitText(values)
    .replace('[Unit]\n', `# ${jobMark}\n[Unit]\n`)
    .replace('[Service]\n', `[Service]\nUser=${name}\n`)
    .replace('WantedBy=default.target', 'WantedBy=multi-user.target');

/**
 * Root's script: writes the file where that is not another's, and has systemd start it at boot; where systemd refuses, what was there
 * is there again. launchd reads it then by itself.
 */
export function jobScript({ kind, tree, text }: SystemJob, { name, uid }: Owner): string {
  return `# Root's part of linuxkit-builder: the job that starts the daemon at boot, as ${shellWord(name)} (uid ${uid})${uid === 0 ? '' : ', not as root'}.
${opening(kind, tree, name)}
[ -d "\${job%/*}" ] || refuse "\${job%/*} does not exist"
write() { # TEXT
    printf %s "$1" >"$job.linuxkit-builder"
    chmod 644 "$job.linuxkit-builder"
    mv -f "$job.linuxkit-builder" "$job"
}
${kind === 'systemd' ? keeping : ''}write ${shellWord(text)}
${kind === 'systemd' ? `{ tell daemon-reload && tell enable ${unitName}; } || putBack\n` : ''}echo "Wrote $job"
`;
}

/** Of a unit that systemd does not take nothing is left, so that the next run does not find it and think it done. */
const keeping = `old=''
[ ! -e "$job" ] || old=$(cat "$job")
putBack() {
    if [ "$old" ]; then write "$old$nl"; else tell disable ${unitName} || :; rm -f "$job"; fi
    tell daemon-reload || :
    refuse "systemd rejected $job"
}
`;

/** Ends the job and takes its file away; that of one user alone where one is named. What its keeper refuses is said, and keeps nothing. */
export const jobRemovalScript = (
  { kind, tree }: Pick<SystemJob, 'kind' | 'tree'>,
  user?: string,
): string =>
  `# Removes the job that starts linuxkit-builder's daemon at boot.
${opening(kind, tree, user)}
if [ -e "$job" ]; then
    ${kind === 'systemd' ? `tell disable --now ${unitName}` : `tell bootout system/${label} 2>/dev/null`} || : # this stops the daemon
    rm "$job"
    echo "Deleted $job"
${kind === 'systemd' ? '    tell daemon-reload || :\n' : ''}fi
`;

/** In a tree nothing of this machine is told of it. With a user the job has to be that user's, as its own text says. */
function opening(kind: ServiceKind, tree: string, user: string | undefined): string {
  const program = kind === 'systemd' ? 'systemctl' : 'launchctl';
  return `set -euf
umask 022
LC_ALL=C PATH=/usr/bin:/bin:/usr/sbin:/sbin
export LC_ALL PATH
job=${shellWord(systemJobPath(kind, tree))}
nl='
'
tool=${shellWord(tree === '' ? program : join(tree, 'usr/bin', program))}

refuse() { echo "$1. Nothing was changed." >&2; exit 77; }
tell() { # its output matters only if it fails
    command -v "$tool" >/dev/null || return 0
    said=$("$tool" "$@" 2>&1) || { echo "$tool $* failed: $said" >&2; return 1; }
}
${onlyRoots}
[ ! -e "\${job%/*}" ] || only_roots "\${job%/*}" ||
    refuse "\${job%/*} must be a directory that only root can write to"
[ ! -L "$job" ] && { [ ! -e "$job" ] || grep -qF ${shellWord(jobMark)} "$job"; } || refuse "$job was not written by linuxkit-builder"${user === undefined ? '' : `\n${ofUser(kind, user)}`}`;
}

const ofUser = (kind: ServiceKind, user: string): string => `user=$([ ! -e "$job" ] || ${
  kind === 'systemd'
    ? `sed -n 's/^User=//p' "$job"`
    : `sed -n '/<key>UserName<\\/key>/{n;s/^ *<string>\\(.*\\)<\\/string>$/\\1/p;}' "$job"`
})
[ ! -e "$job" ] || [ "$user" = ${shellWord(kind === 'systemd' ? user : xmlText(user))} ] || refuse "$job belongs to $user"`;
