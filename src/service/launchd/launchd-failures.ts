/** What keeps launchd from doing as asked, each with a sentence and a remedy. Pure. */
import { Exit, type Failure } from '../../system/failure.ts';
import type { DeclaredJob } from '../declared-job.ts';
import { label } from './launch-agent.ts';
import type { LaunchctlReply } from './launchctl.ts';
import type { Trouble } from './launchd.ts';
import { systemDomain } from './find-job.ts';
import { quotedWord, shellWord } from '../../system/shell.ts';
import { advice, ours, type Text } from '../../system/advice.ts';

/** What launchd looks at before it takes a file (launchctl.c, path_goodness_check). */
export interface PlistFacts {
  readonly kind: 'missing' | 'file' | 'other';
  readonly mode: number;
  readonly uid: number;
}

const reload = advice`Run ${ours('configure')}, then ${ours('start')}.`;

/** Why launchd will refuse a file, as it would not say itself. Pure. */
export function fileFailure(
  plist: string,
  { kind, mode, uid }: PlistFacts,
  isSystem = false,
): Failure | undefined {
  const sudo = isSystem ? 'sudo ' : '';
  const refused = (why: string, hint: Text): Failure => ({
    kind: 'job-file-refused',
    message: `${plist} ${why}, so launchd refuses to load it.`,
    hint,
    exit: Exit.unavailable,
  });
  if (kind === 'missing')
    return {
      kind: 'job-missing',
      message: `${plist} does not exist.`,
      hint: reload,
      exit: Exit.unavailable,
    };
  if (kind === 'other') return refused('is not a regular file', advice`Move it away. ${reload}`);
  if ((mode & 0o022) !== 0)
    return refused('is writable by other users', `Run: ${sudo}chmod 644 ${quotedWord(plist)}`);
  if (uid !== 0 && (isSystem || uid !== process.getuid?.()))
    return refused(
      `belongs to another user (uid ${uid})`,
      `Run: sudo chown ${isSystem ? 'root' : '"$USER"'} ${quotedWord(plist)}`,
    );
  return undefined;
}

/** Sentence and remedy for each other way in which launchd refuses. Pure. */
export function troubleFailure(
  { command, meaning, reply }: Trouble,
  plist: string,
  isSystem = false,
): Failure {
  const said = (reply.stderr || reply.stdout).trim();
  const failure = (kind: string, message: string, hint: Text): Failure => ({
    kind,
    message,
    hint,
    exit: Exit.unavailable,
    lines: [`launchctl ${command}: ${said === '' ? `exit code ${reply.code ?? '?'}` : said}`],
  });
  switch (meaning) {
    case 'no-domain':
      return noSession;
    case 'disabled':
    case 'io':
      return failure(
        'job-disabled',
        'launchd refuses to load the job. It may be disabled in Login Items.',
        `Allow linuxkit-builder in System Settings > General > Login Items, or run: ${isSystem ? 'sudo ' : ''}launchctl enable ${named(isSystem)}`,
      );
    case 'already':
      return doesNotLeave(isSystem);
    case 'bad-file':
      return failure(
        'job-file-refused',
        `launchd rejected ${plist}.`,
        advice`Delete it. ${reload}`,
      );
    default:
      return failure('job-refused', 'launchd did not load the job.', reload);
  }
}

/** The job is declared elsewhere: to load it is not ours. */
export const notLoaded = ({ by, path }: DeclaredJob): Failure => ({
  kind: 'job-missing',
  message: `launchd has not loaded the job that ${by} declares in ${path}.`,
  hint: `Apply the configuration that declares it, or run: sudo launchctl bootstrap ${systemDomain} ${quotedWord(path)}`,
  exit: Exit.unavailable,
});

export const noSession: Failure = {
  kind: 'no-login-session',
  message: 'launchd has no session to run the job in: you are not logged in at the screen.',
  hint: advice`Log in at the screen once, or run the daemon without launchd: ${ours('daemon')}`,
  exit: Exit.unavailable,
};

/** The job, in a command for a shell. */
const named = (isSystem: boolean): string => `${isSystem ? systemDomain : 'gui/$(id -u)'}/${label}`;

export const doesNotLeave = (isSystem: boolean): Failure => ({
  kind: 'job-does-not-leave',
  message: 'launchd was asked to end the job, but the job is still there after 65 s.',
  hint: `See: launchctl print ${named(isSystem)}`,
  exit: Exit.temporary,
});

/** Where a call of root's was not made, or failed in a way that launchd has no code for. */
export const rootRefused = (argv: readonly string[], { stderr }: LaunchctlReply): Failure => ({
  kind: 'root-refused',
  message: `Only root can change the job at boot, and this command failed: ${argv.map(shellWord).join(' ')}`,
  hint: 'Try again where you can use sudo, or ask an administrator to run that command.',
  exit: Exit.noPermission,
  lines: stderr.trim().split('\n').slice(-5),
});
