/** Literals of src that are no text for people: for each reason files, or names that are declared in one (`file#name`). */
export const notText: Readonly<Record<string, readonly string[]>> = {
  'a script of the guest': [
    'guest/agent/freezer.ts#settle',
    'guest/agent/freezer.ts#freeze',
    'guest/agent/freezer.ts#thaw',
    'guest/agent/give-back.ts#trimGuest',
    'guest/agent/give-back.ts#reportPagesScript',
    'guest/agent/give-back.ts#tidyScript',
    'guest/agent/give-back.ts#collectScript',
    'guest/agent/give-back.ts#stopScript',
    'guest/agent/goes-on.ts#script',
    'guest/agent/inside.ts#script',
    'guest/agent/logged-in.ts#loggedInScript',
    'guest/agent/name-servers.ts#script',
    'guest/login/caches.ts#cachesScript',
    'supervisor/start/builder-keys.ts#script',
    'guest/login/i686.ts#i686Script',
    'guest/login/probe.ts#remoteCommand',
    // What a debug shell says is in the page all the same.
    'guest/debug/debug-script.ts',
  ],

  'a program in Perl, or of the shell': [
    'nix/ssh/door-helper.ts#perlScript',
    'service/systemd/systemd-unit.ts#choose',
  ],

  'names of fields in the output of launchctl': ['service/launchd/launchctl.ts#parsePrint'],

  // What it says is in the page all the same.
  'HTML, SVG': [
    'supervisor/status/boot-picture.ts#bootPage',
    'supervisor/status/boot-picture.ts#bootSvg',
    'supervisor/status/day-picture.ts#daySection',
    'supervisor/status/day-picture.ts#daySvg',
  ],

  'what marks a disk that is being formatted': ['supervisor/disk/disk.ts#mark'],

  'a script that a shell reads to complete words': ['cli/shell/completion-scripts.ts'],

  'a script for osascript': ['cli/daemon/notify.ts#noticeOf'],

  'facts of a machine in a report, which is a file': ['doctor/report/report.ts#machineLines'],

  'a request of HTTP': ['net/gvproxy.ts#tunnelTo'],

  'marks of OpenPGP': ['image/debian/signature.ts#expected'],

  'names of the fields of a package': ['image/debian/package-index.ts'],

  'what docs/status.schema.json says of the fields, in which it is read': [
    'cli/status/report-schema.ts',
    'supervisor/status/builder-schema.ts',
    'supervisor/status/schema-parts.ts',
    'supervisor/status/status-schema.ts',
  ],
};
