/** The network process of a start: launched, registered in Running the moment it lives, and its end read for what it means. */
import type { Layout } from '../../config/layout.ts';
import type { Chosen } from '../../net/networks.ts';
import { cardUuid } from '../../net/vpnkit.ts';
import { Failed } from '../../system/failure.ts';
import { writeWhole } from '../../system/files/files.ts';
import { lockHeld } from '../../system/lock/flock.ts';
import type { ExitStatus, Launch } from '../../system/process/child.ts';
import { neverRan } from '../../system/process/never-ran.ts';
import { networkExited } from '../health/child-failures.ts';
import { troubleIn, withKnownFaults } from '../health/with-known-faults.ts';
import type { RunningNetwork } from '../running.ts';
import { pidFiles } from '../stop/leftovers.ts';
import { launchFollowed, type ChildContext, type OfStart } from './launch-followed.ts';
import { raceWithExit } from './race-exit.ts';

/** Starts the network program and waits until it would serve our guest. */
export async function launchNetwork(
  context: ChildContext,
  scope: OfStart,
  chosen: NonNullable<Chosen>,
  plan: Launch,
): Promise<void> {
  const { layout, clock } = context;
  const { running, signal, tell } = scope;
  running.network = await beginNetwork(context, scope, chosen, plan);
  const { child, output, keep } = running.network;
  keep();
  const life: { ended?: ExitStatus; serves?: true } = {};
  // What served, or is being stopped, has nothing to teach.
  const blame = () => {
    if (life.serves !== true && !signal.aborted) running.tried.unfit = chosen;
  };
  const meaning = (ended: ExitStatus) => {
    const words = output.last();
    const never = neverRan(ended, words, layout.networkLock);
    if (never?.kind !== 'no-locks' && isOwnEnd(ended)) blame();
    if (never !== undefined) return never;
    const failure = networkExited(chosen.driver.name, ended, words);
    return withKnownFaults(failure, { program: chosen.driver.name, ended, output: words });
  };
  void child.ended.then((ended) => {
    life.ended = ended;
    tell({ type: 'lost', failure: meaning(ended) });
  });
  const { driver, link } = chosen;
  const uuid = cardUuid(layout);
  const ready = (inLife: AbortSignal) =>
    driver.ready({ layout, link, uuid, clock, signal: inLife });
  try {
    await raceWithExit(ready, { ended: child.ended, meaning, clock, signal });
    life.serves = true;
  } catch (error) {
    if (error instanceof Failed && life.ended === undefined) blame();
    throw error;
  }
}

async function beginNetwork(
  context: ChildContext,
  { running, facts }: OfStart,
  chosen: NonNullable<Chosen>,
  plan: Launch,
): Promise<RunningNetwork> {
  const { layout } = context;
  const { driver, rejected } = chosen;
  const { name, graceMs } = driver;
  writeWhole(layout.vpnkitUuid, cardUuid(layout), { durable: false });
  const own = pathsOfNetwork(driver, layout);
  const onLine = (line: string) => {
    const networkTrouble = troubleIn(name, line);
    if (networkTrouble !== undefined) facts.note({ networkTrouble });
  };
  const begun = await launchFollowed({ ...own, name, plan, onLine }, context);
  const { pid, sockets: stale } = own;
  if (!('kind' in begun)) return { ...begun, name, rejected, pid, graceMs, stale };
  running.tried.unfit = chosen;
  throw new Failed(networkExited(name, begun, []));
}

const pathsOfNetwork = (driver: NonNullable<Chosen>['driver'], layout: Layout) => ({
  files: { output: layout.networkOutput, lock: layout.networkLock },
  pid: pidFiles(layout, driver.name),
  sockets: driver.stale(layout),
});

/** Not ended by somebody, and not for want of its lock. */
const isOwnEnd = (ended: ExitStatus): boolean =>
  ended.kind === 'signalled'
    ? !['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP'].includes(ended.signal)
    : ended.kind !== 'exited' || ended.code !== lockHeld;
