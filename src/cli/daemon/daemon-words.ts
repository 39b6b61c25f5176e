/** What `start`, `stop`, `restart` and the daemon itself say. Pure. */
import type { Service } from '../../service/keeper.ts';
import type { Failure } from '../../system/failure.ts';
import { advice, ours, type Text } from '../../system/advice.ts';

type Keeper = Pick<Service, 'name' | 'starts' | 'declared'>;

/** ` through launchd`, and by what its job is declared; nothing without one. */
export function throughWords(keeper: Keeper | undefined): string {
  if (keeper === undefined) return '';
  const { name, declared } = keeper;
  return ` through ${name}${declared === undefined ? '' : `, as declared by ${declared.by}`}`;
}

/** `through`: {@link throughWords} of its keeper. */
export const startedWords = (pid: number, through: string): string =>
  `Started the daemon${through} (pid ${pid}).`;
/** `start` found a daemon, whose guest runs or comes. */
export const alreadyWords = (pid: number): string => `The daemon is already running (pid ${pid}).`;
/** `start` found a daemon without a guest. */
export const guestStarts = 'The guest was not running; starting it.';

/** A session that the keeper needs is missing. */
export const withoutKeeper = ({ message }: Failure, name: string): string =>
  `${message} The daemon runs without ${name}, so nothing restarts it after a crash.`;

/** Said before a wait: the keeper waits for the daemon, which shuts its guest down. */
export const keeperStops = (name: string): string => `Waiting for ${name} to stop the daemon.`;

/** What a stop has done; a keeper that ran the daemon starts it again some time. */
export function stoppedWords(
  stopped: 'stopped' | 'leftover-ended' | 'nothing-runs',
  keeper?: Keeper,
): Text {
  if (keeper !== undefined) {
    const when = keeper.starts === 'boot' ? 'when this machine boots' : 'at your next login';
    return advice`Stopped. ${keeper.name} will start it again ${when}. To start it now: ${ours('start')}`;
  }
  return {
    stopped: 'Stopped.',
    'leftover-ended':
      'The daemon was not running. Stopped a VM that an earlier daemon had left behind.',
    'nothing-runs': 'The daemon is not running.',
  }[stopped];
}

export const keeperRestarts = (name: string): string => `Restarting the daemon through ${name}.`;
export const guestRestarts = advice`Restarting the guest. To wait until it is ready: ${ours('wait')}`;
/** `restart` where no daemon was running. */
export const startedInstead = (pid: number, through: string): string =>
  `The daemon was not running. Started it${through} (pid ${pid}).`;

/** After an upgrade. */
export const replacedWords = (pid: number, through: string, old: string): Text =>
  advice`Stopped the daemon of release ${old}, and started it again${through} (pid ${pid}). To wait until it is ready: ${ours('wait')}`;
/** The keeper was asked for a daemon of this release, and started another one's. Both are versions. */
export const stillOther = (wanted = 'this one', runs = 'unknown'): Text =>
  advice`The daemon runs release ${runs} instead of ${wanted}: its job starts another copy of the program. To change the job: ${ours('configure')} && ${ours('restart')}`;
/** The job is root's, by somebody else's word. */
export const guestAlone = (old: string, by: string, command: string): string =>
  `The daemon still runs release ${old}, because ${by} declares its job. To upgrade the daemon: ${command}`;

/** Root starts our job at boot, and whoever asks is not root: a stop is theirs, a start is not. */
export const bootJobKept = (old: string): Text =>
  advice`The daemon still runs release ${old}, because its job starts at boot and needs sudo. To upgrade the daemon: ${ours('stop')} && ${ours('start')}`;
/** A new daemon would refuse the settings that the old one has left behind. */
export const keptForSettings = (old: string): Text =>
  advice`The daemon still runs release ${old}, because config.json has errors. Correct them, then run: ${ours('restart')}`;

/** Above what is wrong with the settings, where a guest starts all the same. */
export const previousSettings = 'config.json has errors, so the guest keeps its previous settings:';

/** The daemon, to whoever looks at its output: the status could not be written. */
export const statusOutOfDate = ({ message, hint }: Pick<Failure, 'message' | 'hint'>): Text =>
  advice`The status file is out of date. ${message} ${hint}`;
/** What keeps a managed daemon from beginning, said once while it waits for that to be mended. */
export const triedAgain = ({ message, hint }: Pick<Failure, 'message' | 'hint'>): Text =>
  advice`${message} ${hint} Trying again.`;

/** Two daemons for one builder: the second waits. */
export const standbyWords = (pid: number | undefined): string =>
  `Another daemon is running for this state directory${pid === undefined ? '' : ` (pid ${pid})`}; waiting for it to stop.`;
