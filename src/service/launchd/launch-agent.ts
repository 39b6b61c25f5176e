/** What launchd is given: the plist of our job, and the small program that it runs. Pure text, and where it goes. */
import { join } from 'node:path';
import { instance } from '../../config/instance.ts';
import type { WantedFile } from '../../host/file-change.ts';
import { quotedWord } from '../../system/shell.ts';
import { advice, ours, type Text } from '../../system/advice.ts';

/** launchd's name for our job. */
export const label = instance.jobLabel;

/** What is filled into the templates. */
export interface JobValues {
  /** Absolute paths: Node, our dist/main.js, the state directory. */
  readonly node: string;
  readonly main: string;
  /** Names of these two that lead to the next ones after an upgrade; themselves where there are none. */
  readonly named: string;
  readonly namedMain: string;
  readonly state: string;
  /** Where the daemon finds the VM and network programs, ssh and ps. */
  readonly path: string;
  /** Absent for a job at login. */
  readonly starts?: 'boot';
}

interface Templates {
  readonly plist: string;
  readonly launcher: string;
}

/** Where the two files are. The launcher's own name is what a person reads in the list of Login Items. */
export const agentPaths = (home: string) => ({
  plist: join(home, 'Library/LaunchAgents', `${label}.plist`),
  launcher: join(home, 'Library', instance.launcher),
  /** What the launcher says: on the volume that is there at login, where a person looks for logs. */
  log: join(home, 'Library', instance.launcherLog),
});

/** The files of the LaunchAgent; copies and no links, since /nix may not be there when launchd reads them. */
export function agentFiles(
  { plist, launcher, log }: ReturnType<typeof agentPaths>,
  values: JobValues,
  templates: Templates,
): WantedFile[] {
  const whole = (text: string, mark: string) => ({
    kind: 'whole' as const,
    text,
    secret: false,
    // linuxkit-nix has a plist of that name.
    isTheirs: (now: Buffer) => !now.includes(mark),
  });
  return [
    {
      path: launcher,
      purpose: 'the program with which launchd starts the daemon',
      content: whole(
        launcherText(templates.launcher, { ...values, log }),
        '\n# linuxkit-builder: ',
      ),
      mode: 0o755,
      directoryMode: 0o755,
      byHand: '',
    },
    {
      path: plist,
      purpose: 'launchd starts the daemon when you log in, and restarts it after a crash',
      content: whole(plistText(templates.plist, { ...values, launcher }), xmlText(launcher)),
      // launchd refuses what others could write (launchctl.c, path_goodness_check).
      mode: 0o644,
      directoryMode: 0o755,
      byHand: agentByHand(launcher),
    },
  ];
}

/** Where the directory of agents is Nix's: launchd is told there, of a program that outlives a garbage collection. */
const agentByHand = (launcher: string): Text =>
  advice`In that case configure cannot register the daemon with launchd. Declare an agent that runs ${quotedWord(launcher)}, with RunAtLoad and KeepAlive.SuccessfulExit = false (nix-darwin: launchd.user.agents; home-manager: launchd.agents). Or start the daemon yourself, and run: ${ours('configure', '--no-autostart')}`;

/** The template with its `@NAMES@` replaced, as XML text. */
export const plistText = (
  template: string,
  { launcher, state, path }: Pick<JobValues, 'state' | 'path'> & { readonly launcher: string },
): string =>
  fill(template, { LABEL: label, LAUNCHER: launcher, STATE: state, PATH: path }, xmlText);

/** The template with its `@NAMES@` replaced, as words of the shell. */
export const launcherText = (
  template: string,
  {
    named,
    node,
    namedMain,
    main,
    state,
    log,
    starts,
  }: Omit<JobValues, 'path'> & { readonly log: string },
): string =>
  fill(
    // It stands inside of quotes.
    template.replaceAll('@LABEL@', label),
    {
      NAMED: named,
      NODE: node,
      PROGRAM: namedMain,
      MAIN: main,
      STATE: state,
      LOG: log,
      DOMAIN: starts === 'boot' ? 'system' : '',
    },
    quotedWord,
  );

/** The PATH of a daemon that has no shell: the directories of these programs, and the system's. */
export function daemonPath(programs: readonly string[]): string {
  const folders = programs.map((program) => program.slice(0, program.lastIndexOf('/')));
  return [...new Set([...folders, '/usr/bin', '/bin', '/usr/sbin', '/sbin'])].join(':');
}

function fill(
  template: string,
  values: Readonly<Record<string, string>>,
  quote: (text: string) => string,
): string {
  return template.replace(/@([A-Z]+)@/g, (whole, name: string) => {
    const value = values[name];
    return value === undefined ? whole : quote(value);
  });
}

/** As text between tags. */
export const xmlText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
