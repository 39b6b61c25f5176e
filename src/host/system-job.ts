/**
 * The job that the system itself starts, at boot and without a login: one of launchd's `system` domain, or a unit of systemd's. It runs
 * as the daemon's owner and never as root; only its file is root's. Pure text: that file, and root's two scripts for it.
 */
import { join } from 'node:path';
import type { ServiceKind } from './declared-job.ts';
import type { Owner } from './installed.ts';
import { label, plistText, xmlText, type JobValues } from './launch-agent.ts';
import { shellWord } from './root-shell.ts';
import { unitName, unitText } from './systemd-unit.ts';

/** By which a file of that name is known to be ours, and not a configuration's or a person's. */
export const jobMark = 'Written by linuxkit-builder configure.';

/** Where it is; `tree` stands for /. */
export const systemJobPath = (kind: ServiceKind, tree: string): string =>
  join(
    tree === '' ? '/' : tree,
    kind === 'launchd' ? `Library/LaunchDaemons/${label}.plist` : `etc/systemd/system/${unitName}`,
  );

export interface SystemJob {
  readonly kind: ServiceKind;
  readonly tree: string;
  readonly text: string;
}

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

/** Root's script: writes the file where that is not another's, and has systemd start it at boot. launchd reads it then by itself. */
export function jobScript({ kind, tree, text }: SystemJob, { name, uid }: Owner): string {
  return `# Root's part of linuxkit-builder's job: the system starts the daemon at boot, as ${shellWord(name)} (uid ${uid}) and not as root.
${opening(kind, tree)}
[ -d "\${job%/*}" ] || refuse "There is no \${job%/*}"
printf %s ${shellWord(text)} >"$job.linuxkit-builder"
chmod 644 "$job.linuxkit-builder"
mv -f "$job.linuxkit-builder" "$job"
echo "Wrote $job"
${kind === 'systemd' ? `tell daemon-reload\ntell enable ${unitName}\n` : ''}`;
}

/** Ends the job and takes its file away. */
export const jobRemovalScript = (kind: ServiceKind, tree: string): string =>
  `# The job by which the system starts linuxkit-builder's daemon at boot is taken away.
${opening(kind, tree)}
if [ -e "$job" ]; then
    ${kind === 'systemd' ? `tell disable --now ${unitName}` : `tell bootout system/${label} || :`} # it ends the daemon
    rm "$job"
    echo "Deleted $job"
${kind === 'systemd' ? '    tell daemon-reload\n' : ''}fi
`;

/** In a tree nothing of this machine is told of it. */
function opening(kind: ServiceKind, tree: string): string {
  const program = kind === 'systemd' ? 'systemctl' : 'launchctl';
  return `set -euf
umask 022
LC_ALL=C PATH=/usr/bin:/bin:/usr/sbin:/sbin
export LC_ALL PATH
job=${shellWord(systemJobPath(kind, tree))}
tool=${shellWord(tree === '' ? program : join(tree, 'usr/bin', program))}

refuse() { echo "$1; nothing was changed." >&2; exit 77; }
tell() { ! command -v "$tool" >/dev/null || "$tool" "$@" 2>/dev/null; }
[ ! -e "\${job%/*}" ] || [ "$(find "\${job%/*}" -prune -type d -user "$(id -u)" ! -perm -020 ! -perm -002)" ] ||
    refuse "\${job%/*} has to be a directory that only root can write"
[ ! -L "$job" ] && { [ ! -e "$job" ] || grep -qF ${shellWord(jobMark)} "$job"; } || refuse "$job is somebody else's"`;
}
