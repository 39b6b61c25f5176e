/** One builder whose guest goes and comes, with builds that arrive and kills that fall meanwhile. Nothing of that may fail a build. */
import type { BuilderRig } from '../real/rig.ts';
import { aims, nextAim, playAim, type Aim } from './aimed.ts';
import {
  arrivals,
  arrivalsSummary,
  beginOnDemand,
  inAbsence,
  playArrival,
  type Came,
  type Gone,
} from './arrivals.ts';
import { HostDaemon } from './host-daemon.ts';
import { Relay } from './relay.ts';
import { kills, killsSummary, playKill, type Struck } from './suspends.ts';
import { WatchedLog } from './watched-log.ts';

/** What one run plays, in this order; 0: none of that kind. */
export interface OnDemand {
  readonly seed: number;
  /** Builds that arrive while the guest goes away, is away and comes back. */
  readonly arrivals: number;
  /** The arrivals all come while the guest is away, which went so. */
  readonly after?: Gone;
  /** Builds that arrive in each step of a suspend and of a resume. */
  readonly arrivalsEach: number;
  /** Kills in each step. */
  readonly suspends: number;
}

/** The rig is a new builder; true when no build failed and nothing was wrong after a kill. */
export async function playOnDemand(rig: BuilderRig, asked: OnDemand): Promise<boolean> {
  const { seed } = asked;
  const log = new WatchedLog(rig.layout.log);
  using relay = await Relay.begin(rig.port);
  const host = await HostDaemon.begin(rig, relay.port);
  await beginOnDemand(rig, asked.after);
  const came = [
    ...(await playArrivals(asked, { rig, log, host })),
    ...(await playAims(asked, { rig, log, host, relay })),
  ];
  if (came.length > 0) console.log(arrivalsSummary(came, seed));
  const struck = await playKills(asked, { rig, log });
  if (struck.length > 0) console.log(killsSummary(struck, seed));
  return came.every(({ end }) => end === 0) && struck.every(({ wrong }) => wrong.length === 0);
}

async function playArrivals(
  { seed, arrivals: count, after }: OnDemand,
  builder: Parameters<typeof playArrival>[0],
): Promise<readonly Came[]> {
  const coming = after === undefined ? arrivals(seed) : inAbsence();
  const all: Came[] = [];
  if (count > 0 && after !== undefined) {
    // So that the guest has gone in that way before the first one, too.
    await builder.rig.cli('resume');
    await builder.rig.reaches('ready');
  }
  while (all.length < count) {
    const arrival = coming.next().value;
    const came = await playArrival(builder, arrival, `s${seed}-${all.length + 1}`);
    all.push(came);
    const { beside, afterMs } = arrival;
    console.log(`${all.length}. beside a ${beside}, ${afterMs} ms after it; ${wordsOf(came)}`);
  }
  return all;
}

async function playAims(
  { seed, arrivalsEach }: OnDemand,
  builder: Parameters<typeof playAim>[0],
): Promise<readonly Came[]> {
  const { rig, relay } = builder;
  if (arrivalsEach === 0) return [];
  // The first start formats the disk, and the first suspend is tried, which is over when the guest is away.
  await rig.cli('resume');
  await rig.reaches('ready');
  await rig.cli('suspend');
  relay.hold();
  const all: Came[] = [];
  let rounds = 0;
  const play = async (aim: Aim) => {
    const came = await playAim(builder, aim, `s${seed}-aim-${++rounds}`);
    all.push(...came);
    console.log(`${rounds}. aimed at ${aim.step}: ${came.map(wordsOf).join('; ')}`);
  };
  for (const aim of aims(seed, arrivalsEach)) await play(aim);
  // One a step is for every run of the tests, which has no time for more.
  const again: Aim[] = [];
  let aim = arrivalsEach > 1 ? nextAim(all, again, arrivalsEach) : undefined;
  while (aim !== undefined) {
    await play(aim);
    again.push(aim);
    aim = nextAim(all, again, arrivalsEach);
  }
  return all;
}

async function playKills(
  { seed, suspends }: OnDemand,
  { rig, log }: { readonly rig: BuilderRig; readonly log: WatchedLog },
): Promise<readonly Struck[]> {
  const all: Struck[] = [];
  for (const kill of kills(seed, suspends)) {
    const struck = await playKill(rig, kill, { number: all.length + 1, log });
    all.push(struck);
    const { isHit, back, wrong } = struck;
    const words = `${kill.target} ${kill.afterMs} ms into '${kill.step}'`;
    console.log(`${all.length}. ${words}${isHit ? '' : ' (nobody was there)'}; ${back}`);
    for (const what of wrong) console.log(`  WRONG ${what}`);
  }
  return all;
}

function wordsOf({ step, end, tookMs }: Came): string {
  const how = end === 0 ? 'well' : `with ${end}`;
  return `came in '${step}', ended ${how} after ${(tookMs / 1000).toFixed(1)} s`;
}
