import { loadAndWatch } from '../../src/cli/daemon/background-tasks.ts';
import {
  alreadyWords,
  bootJobKept,
  guestAlone,
  keptForSettings,
  keeperRestarts,
  keeperStops,
  standbyWords,
  replacedWords,
  startedInstead,
  startedWords,
  stillOther,
  statusOutOfDate,
  stoppedWords,
  throughWords,
  triedAgain,
  withoutKeeper,
} from '../../src/cli/daemon/daemon-words.ts';
import { notInGroup, nixNotRunning } from '../../src/cli/up/nix-access.ts';
import { notInstalled, programsMissing } from '../../src/cli/up/up-programs.ts';
import { buildingWords, imageStep, notBuilt } from '../../src/cli/up/up.ts';
import { layoutOf } from '../../src/config/layout.ts';
import type { CliContext } from '../../src/command/context.ts';
import { plainly } from '../../src/system/advice.ts';
import { thisUser } from '../../src/system/host/user.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { linesOf } from './command-rig.ts';
import { shownAs, tells } from './tell.ts';

const launchd = { name: 'launchd', starts: 'login' } as const;
const systemd = {
  name: 'systemd',
  starts: 'boot',
  declared: {
    kind: 'systemd',
    by: 'NixOS',
    scope: 'system',
    directory: '/builder',
    path: '/etc/systemd/system/linuxkit-builder.service',
  },
} as const;
const failure = { kind: 'x', exit: 69, message: 'Cannot do it.', hint: 'Do this.' } as const;

/** What the daemon says when a part of an upgraded program cannot be loaded any more. */
async function unloadable(): Promise<string[]> {
  const said: string[] = [];
  const context: Partial<CliContext> = {
    clock: Object.assign(new FakeClock(), { sleep: () => Promise.resolve() }),
    signal: new AbortController().signal,
    err: (line) => said.push(plainly(line)),
  };
  const missing = new Error('Cannot find module watch-updates.js');
  const load = () => Promise.reject(Object.assign(missing, { code: 'MODULE_NOT_FOUND' }));
  // One cast: it needs nothing else of it.
  await loadAndWatch(
    layoutOf('/builder'),
    context as CliContext,
    new AbortController().signal,
    load,
  );
  return said;
}

tells('cli-daemon', {
  start: {
    'the daemon has been started': () => startedWords(4711, throughWords(undefined)),
    'by launchd': () => startedWords(4711, throughWords(launchd)),
    'by a job that is declared elsewhere': () => startedWords(4711, throughWords(systemd)),
    'it was running already': () => alreadyWords(4711),
    'and its guest was not': () =>
      linesOf(['start'], { status: {}, answers: { resume: () => ({ was: 'away' }) } }),
    'there is no session for the job': () => withoutKeeper(failure, 'launchd'),
  },
  stop: {
    'the daemon was running': () => stoppedWords('stopped'),
    'it will be started again': () => [
      stoppedWords('stopped', launchd),
      stoppedWords('stopped', systemd),
    ],
    'only a VM was left': () => stoppedWords('leftover-ended'),
    'nothing was running': () => linesOf(['stop']),
    'launchd takes its time': () => keeperStops('launchd'),
  },
  restart: {
    'the guest': () => linesOf(['restart', '--now'], { status: {} }),
    'with settings that are wrong': () =>
      linesOf(['restart', '--now'], { status: {}, config: '{"port":0}' }),
    'the daemon, by launchd': () => keeperRestarts('launchd'),
    'the daemon, after an upgrade': () => replacedWords(4711, throughWords(launchd), '0.0.9'),
    'the job has another copy': () => stillOther('0.1.0', '0.0.9'),
    'the job is ours and starts at boot': () => bootJobKept('0.0.9'),
    'the settings are wrong': () => keptForSettings('0.0.9'),
    'the guest alone, since the job of the daemon is declared elsewhere': () =>
      guestAlone('0.0.9', 'NixOS', 'sudo systemctl restart linuxkit-builder'),
    'there was no daemon': () => startedInstead(4711, throughWords(launchd)),
  },
  wait: {
    ready: () => linesOf(['wait'], { status: {} }),
    'ready, without a guest': () => linesOf(['wait'], { status: { phase: 'away' } }),
    'ready, and drained': () =>
      linesOf(['wait'], { status: { door: { port: 24083, draining: false, refusing: true } } }),
    'not in time': () =>
      linesOf(['wait', '-t', '1'], {
        status: { phase: 'booting', sentence: 'The guest is booting.' },
      }),
    'no daemon': () => linesOf(['wait']),
    'a limit that is no number': () => linesOf(['wait', '-t', 'long']),
  },
  'Before anything is set up': {
    start: () => linesOf(['start'], { config: undefined }),
    status: () => linesOf(['status'], { config: undefined }),
    wait: () => linesOf(['wait'], { config: undefined }),
    logs: () => linesOf(['logs'], { config: undefined }),
    list: () => linesOf(['list'], { config: undefined }),
  },
  'The daemon': {
    'its status cannot be written': () => statusOutOfDate(failure),
    'something keeps it from its start': () => triedAgain(failure),
    'another one is running': () => [standbyWords(4711), standbyWords(undefined)],
    'it was upgraded while it ran': unloadable,
    'options that are for --dry-run': () => linesOf(['daemon', '--json']),
  },
  'daemon --dry-run': {
    'the comments in it': async () => {
      const config = '{"vm":"hyperkit","cpus":1,"memoryMiB":600,"diskGiB":4}';
      const lines = await linesOf(['daemon', '--dry-run', '--vm', 'hyperkit'], { config });
      return lines.filter((line) => line.startsWith('#'));
    },
    'a VM program that does not exist': () => linesOf(['daemon', '--dry-run', '--vm', 'xhyve']),
    'a network that does not go with it': () =>
      linesOf(['daemon', '--dry-run', '--vm', 'qemu', '--network', 'vpnkit']),
  },
  up: {
    'programs are missing': () => [
      programsMissing(['mksquashfs'], 'apt-get', { root: [] }),
      programsMissing(['mksquashfs'], 'apt-get', { root: undefined }),
      programsMissing(['mksquashfs', 'nix-build'], 'brew', { root: [] }),
      programsMissing(['mksquashfs'], undefined, { root: [] }),
    ],
    'they could not be installed': () => notInstalled('apt-get'),
    'Nix may not be used': () => {
      shownAs(` ${thisUser().name}`, ' anna');
      return notInGroup('nix-users');
    },
    'Nix may not be used but by a group whose name needs quotes': () => {
      shownAs(` ${thisUser().name}`, ' anna');
      return notInGroup('CORP\\nix users');
    },
    'nix-daemon is not running': () => nixNotRunning(true),
    'nix-daemon is not running, and systemd neither': () => nixNotRunning(false),
    'its longest steps': () => [`==> ${imageStep[0]}`, buildingWords('/builder/example.nix')],
    'the example was not built': () => notBuilt,
  },
});
