/** Our daemon as a user's unit of systemd. */
import { run, succeeded, type Ran } from '../system/child.ts';
import { Exit, Failed } from '../system/failure.ts';
import type { Service, ServiceState } from './service.ts';
import { unitName } from './systemd-unit.ts';

export interface SystemdOptions {
  /** Absolute path of systemctl. */
  readonly systemctl: string;
  readonly isChanged: () => boolean;
  readonly onLoaded: () => void;
  readonly signal: AbortSignal;
}

export function systemdService({
  systemctl,
  isChanged,
  onLoaded,
  signal,
}: SystemdOptions): Service {
  const call = (...argv: readonly string[]): Promise<Ran> =>
    run(systemctl, ['--user', ...argv], { timeoutMs: 90_000, signal });
  const must = async (...argv: readonly string[]): Promise<void> => {
    const ran = await call(...argv);
    signal.throwIfAborted();
    if (!succeeded(ran)) throw new Failed(refused(argv, ran));
  };
  const state = async (): Promise<ServiceState> => {
    const fields = 'LoadState,ActiveState,MainPID,Result,UnitFileState';
    return parseShow((await call('show', unitName, `--property=${fields}`)).stdout);
  };
  return {
    name: 'systemd',
    isChanged,
    state,
    async start() {
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
    async remove() {
      if (!(await state()).loaded) return;
      await must('disable', '--now', unitName);
    },
  };
}

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

function refused(argv: readonly string[], { ended, stderr }: Ran) {
  const noBus = /Failed to connect to (user scope )?bus|No medium found/i.test(stderr);
  return {
    kind: noBus ? 'no-login-session' : 'unit-refused',
    message: noBus
      ? 'There is no systemd of yours to talk to: this login has no user session.'
      : `systemctl --user ${argv.join(' ')} did not succeed${ended.kind === 'exited' ? '' : ` (${ended.kind})`}.`,
    hint: noBus
      ? 'Log in anew, or as root: loginctl enable-linger USER. Without systemd: linuxkit-builder configure --no-autostart, then linuxkit-builder start.'
      : `See: systemctl --user status ${unitName}; journalctl --user -u ${unitName}`,
    exit: Exit.unavailable,
    lines: stderr.trim().split('\n').slice(-5),
  };
}
