import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { declaredIn, restartCommand, type DeclaredJob } from '../../src/service/declared-job.ts';
import { rootNotice } from '../../src/service/service.ts';
import { agentFiles, agentPaths } from '../../src/service/launchd/launch-agent.ts';
import {
  doesNotLeave,
  fileFailure,
  noSession,
  notLoaded,
  rootRefused,
  troubleFailure,
} from '../../src/service/launchd/launchd-failures.ts';
import { parsePrint, type Meaning } from '../../src/service/launchd/launchctl.ts';
import { stateOf as launchdState } from '../../src/service/launchd/launchd-service.ts';
import { jobRemovalScript, jobScript, systemJobFile } from '../../src/service/system-job.ts';
import {
  logoutWords,
  parseShow,
  systemdService,
} from '../../src/service/systemd/systemd-service.ts';
import { pathUnfit, unitFile, unitPath } from '../../src/service/systemd/systemd-unit.ts';
import { directoryShownAs, tells } from './tell.ts';

const plist = '/Users/ann/Library/LaunchAgents/org.nix-community.linuxkit-builder.plist';
const reply = { code: 5, stdout: '', stderr: 'Bootstrap failed: 5: Input/output error' };
const trouble = (meaning: Meaning, isSystem = false) =>
  troubleFailure({ command: 'bootstrap', meaning, reply }, plist, isSystem);
const declared = (text: string): DeclaredJob =>
  declaredIn(`LINUXKIT_BUILDER_DIR ${text}`, {
    kind: 'launchd',
    scope: 'user',
    path: plist,
  }) as DeclaredJob;

const values = {
  node: '/usr/bin/node',
  named: '/usr/bin/node',
  main: '/lib/main.js',
  namedMain: '/lib/main.js',
  state: '/builder',
  path: '/usr/bin:/bin',
};
const agent = agentFiles(agentPaths('/Users/ann'), values, { plist: '', launcher: '' });

const unit = unitFile(unitPath('/home/ann/.config'), values);

const tree = directoryShownAs('/tree');
/** What systemd's start says, where systemctl says this and fails. */
const refusedBySystemd = async (said: string, isSystem = false) => {
  const systemctl = join(tree, 'systemctl');
  writeFileSync(systemctl, `#!/bin/sh\necho "${said}" >&2; exit 1\n`);
  chmodSync(systemctl, 0o755);
  await startBySystemd(systemctl, isSystem);
};
const startBySystemd = (systemctl: string | undefined, isSystem = false) =>
  systemdService({
    systemctl,
    isSystem,
    isChanged: () => false,
    onLoaded: () => undefined,
    signal: new AbortController().signal,
  }).start();

const ann = { name: 'ann', uid: 501, directory: '/builder' };
const job = (kind: 'launchd' | 'systemd') => ({ kind, tree: '', text: '(the job)\n' });

tells('service', {
  'What the files are for': {
    'of launchd': () => agent.map(({ path, purpose }) => `${path}: ${purpose}`),
    'of launchd, at boot': () => systemJobFile(job('launchd')).purpose,
    'of systemd': () => unit.purpose,
    'what systemd is given': () => (unit.content.kind === 'whole' ? unit.content.text : undefined),
    'where the directory is made by Nix': () => agent[1]?.byHand,
  },
  'How the last run of the job ended': {
    'with an exit code': () =>
      launchdState({ state: parsePrint('state = exited\nlast exit code = 78') }).ended,
    'by a signal': () =>
      launchdState({ state: parsePrint('last terminating signal = Killed: 9') }).ended,
    'as systemd has it': () => parseShow('LoadState=loaded\nResult=exit-code').ended,
  },
  'Why launchd refuses a file': {
    'it is missing': () => fileFailure(plist, { kind: 'missing', mode: 0, uid: 0 }),
    'it is no file': () => fileFailure(plist, { kind: 'other', mode: 0, uid: 0 }),
    'others can write it': () => fileFailure(plist, { kind: 'file', mode: 0o666, uid: 0 }),
    "it is another user's": () => fileFailure(plist, { kind: 'file', mode: 0o644, uid: 54321 }),
    "it is another user's, at boot": () =>
      fileFailure(plist, { kind: 'file', mode: 0o644, uid: 54321 }, true),
  },
  'Why launchd refuses a job': {
    'it is disabled': () => trouble('disabled'),
    'it is disabled, at boot': () => trouble('disabled', true),
    'it does not like the file': () => trouble('bad-file'),
    'it does not say why': () => trouble('other'),
    'nobody is logged in': () => noSession,
    'it does not let the old one go': () => trouble('already'),
    'it does not let the old one go, at boot': () => doesNotLeave(true),
    'a configuration declares it': () => notLoaded(declared('/nix/store/x')),
    'root is needed': () =>
      rootRefused(['sudo', '/bin/launchctl', 'bootout', 'system/x'], { ...reply, code: 1 }),
  },
  'Whose job it is': {
    'of a Nix configuration': () => declared('/nix/store/x').by,
    'of anybody else': () => declared('').by,
    'how it is restarted': () =>
      (['launchd', 'systemd'] as const).flatMap((kind) =>
        (['system', 'user'] as const).map((scope) => restartCommand({ kind, scope }, 501)),
      ),
  },
  'A daemon that ends at the logout': { 'with systemd': () => logoutWords('ann') },
  'A path that no unit can contain': { 'a line break': () => pathUnfit('/opt/a\nb/node') },
  'Why systemd refuses a unit': {
    'it is not installed': () => startBySystemd(undefined),
    'it cannot be reached': () => refusedBySystemd('Failed to connect to bus: No medium found'),
    'it fails': () => refusedBySystemd('Access denied'),
  },
  "Root's part": {
    'a command of root’s': () => rootNotice('sudo', ['/bin/launchctl', 'kickstart', 'system/x']),
    'the script for launchd': () => jobScript(job('launchd'), ann),
    'the script for systemd': () => jobScript(job('systemd'), ann),
    'the script that removes it from launchd': () => jobRemovalScript(job('launchd'), 'ann'),
    'the script that removes it from systemd': () => jobRemovalScript(job('systemd'), 'ann'),
  },
});
