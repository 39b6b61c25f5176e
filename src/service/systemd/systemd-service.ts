/** Our daemon as a user's unit of systemd. */
import { dirname, join } from 'node:path';
import { run, succeeded, type CommandResult } from '../../system/process/child.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { thisUser } from '../../system/host/user.ts';
import { tryProgram } from '../../system/process/find-program.ts';
import { shellWord } from '../../system/shell.ts';
import type { DeclaredJob } from '../declared-job.ts';
import type { Service, ServiceState } from '../keeper.ts';
import { unitName } from './systemd-unit.ts';
import { advice, ours } from '../../system/advice.ts';

interface SystemdOptions {
  /** Absolute path of systemctl; undefined where there is none, or no systemd runs: then nothing is loaded. */
  readonly systemctl: string | undefined;
  readonly isChanged: () => boolean;
  /** The system's own unit, at boot: what changes it is root's. Absent for a user's. */
  readonly isSystem?: boolean;
  /** Puts before a command what makes it root's, and says so. */
  readonly asRoot?: (argv: readonly string[]) => readonly string[];
  /** Whose unit it is where it is not ours. */
  readonly declared?: DeclaredJob;
  readonly onLoaded: () => void;
  readonly signal: AbortSignal;
}

/** Where there is no systemctl its state can be asked, and all else fails. */
export function systemdService(options: SystemdOptions): Service {
  const { systemctl, isChanged, onLoaded, isSystem = false, declared, signal } = options;
  const { asRoot = (argv: readonly string[]) => argv } = options;
  const call = (...argv: readonly string[]): Promise<CommandResult> => {
    if (systemctl === undefined) throw new Failed(noSystemd);
    const words = [systemctl, ...(isSystem ? [] : ['--user']), ...argv];
    const [program = '', ...rest] = isSystem && argv[0] !== 'show' ? asRoot(words) : words;
    // A password may be asked for.
    return run(program, rest, { timeoutMs: program === systemctl ? 90_000 : 300_000, signal });
  };
  const must = async (...argv: readonly string[]): Promise<void> => {
    const ran = await call(...argv);
    signal.throwIfAborted();
    if (!succeeded(ran)) throw new Failed(refused(argv, ran, isSystem));
  };
  const state = async (): Promise<ServiceState> => {
    if (systemctl === undefined) return { loaded: false, running: false };
    const fields = 'LoadState,ActiveState,MainPID,Result,UnitFileState';
    return parseShow((await call('show', unitName, `--property=${fields}`)).stdout);
  };
  return {
    name: 'systemd',
    isAbsent: systemctl === undefined,
    starts: isSystem ? 'boot' : 'login',
    ...(declared && { declared }),
    isChanged,
    state,
    async start() {
      if (declared !== undefined) return must('start', unitName);
      await must('daemon-reload');
      await must('enable', unitName);
      await must(isChanged() ? 'restart' : 'start', unitName);
      onLoaded();
    },
    async stop() {
      const { loaded, running } = await state();
      if (running) await must('stop', unitName);
      return loaded;
    },
    ...(!isSystem && { endsAtLogout: () => endsAtLogout(systemctl, signal) }),
    async remove() {
      if (declared !== undefined || !(await state()).loaded) return;
      await must('disable', '--now', unitName);
    },
  };
}

/**
 * A user's units end with the last session, unless the user lingers (loginctl(1), enable-linger). False where no logind tells: in a container,
 * or of a user who has not logged in.
 */
async function endsAtLogout(systemctl: string | undefined, signal: AbortSignal): Promise<boolean> {
  const loginctl = systemctl && tryProgram(join(dirname(systemctl), 'loginctl'));
  if (loginctl === undefined) return false;
  const argv = ['show-user', thisUser().name, '--property=Linger'];
  const ran = await run(loginctl, argv, { timeoutMs: 10_000, signal });
  return succeeded(ran) && ran.stdout.trim() === 'Linger=no';
}

/** What follows from that, and the command that changes it. */
export const logoutWords = (user: string): string =>
  `The daemon ends when you log out, and running builds fail. To keep it running: loginctl enable-linger ${shellWord(user)}`;

/** `show`: a unit that is not enabled or running is one that systemd merely knows of. */
export function parseShow(text: string): ServiceState {
  const field = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? '';
  const running = ['active', 'activating', 'reloading', 'deactivating'].includes(
    field('ActiveState'),
  );
  const pid = Number(field('MainPID'));
  const result = field('Result');
  const enabled = field('UnitFileState') === 'enabled';
  return {
    loaded: field('LoadState') === 'loaded' && (running || enabled),
    running,
    ...(pid > 0 ? { pid } : {}),
    ...(result === '' || result === 'success' ? {} : { ended: `with result '${result}'` }),
  };
}

const without = advice`To do without systemd, run ${ours('configure', '--no-autostart')}, then ${ours('start')}.`;

const noSystemd: Failure = {
  kind: 'no-login-session',
  message: 'This system does not run systemd, which would start the daemon.',
  hint: without,
  exit: Exit.unavailable,
};

function refused(argv: readonly string[], { ended, stderr }: CommandResult, isSystem: boolean) {
  const user = isSystem ? '' : '--user ';
  const noBus = !isSystem && /Failed to connect to (user scope )?bus|No medium found/i.test(stderr);
  return {
    kind: noBus ? 'no-login-session' : 'unit-refused',
    message: noBus
      ? 'Cannot reach your systemd: this login has no user session.'
      : `systemctl ${user}${argv.join(' ')} failed${ended.kind === 'exited' ? '' : ` (${ended.kind})`}.`,
    hint: noBus
      ? advice`Log in again, or run as root: loginctl enable-linger USER. ${without}`
      : `Find the cause with: systemctl ${user}status ${unitName}; journalctl ${user}-u ${unitName}`,
    exit: Exit.unavailable,
    lines: stderr.trim().split('\n').slice(-5),
  };
}
