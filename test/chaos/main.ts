/** scripts/chaos. Runs bundled, as .cache/chaos/main.mjs: as deep in the checkout as the rig's own folder, which looks for it there. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BuilderRig, testImage, type RigOptions } from '../real/rig.ts';
import { fetchGvproxy } from '../rig/gvproxy.ts';
import { makeProgram } from '../rig/stand-in.ts';
import { choose } from './aftermath.ts';
import { aims, playAim } from './aimed.ts';
import {
  arrivals,
  arrivalsSummary,
  beginOnDemand,
  inAbsence,
  playArrival,
  type Came,
  type Gone,
} from './arrivals.ts';
import { help, readWords } from './command-line.ts';
import { describe, plans, sooner, type Round, type VmProgramName } from './plan.ts';
import { HostDaemon } from './host-daemon.ts';
import { Relay } from './relay.ts';
import { play } from './round.ts';
import { sabotaged } from './sabotaged.ts';
import { isFoundBy, sabotages, type Sabotage, type SabotageName } from './sabotages.ts';
import { kills, killsSummary, playKill, type Struck } from './suspends.ts';
import { counts, summary, type Outcome } from './tally.ts';
import { WatchedLog } from './watched-log.ts';

const checkout = dirname(dirname(import.meta.dirname));
/** Rounds that did not count are played again, so often in a run. */
const mostUncounted = 10;

/** What runs now: ended when somebody ends us, since it is out of reach of a terminal's signals. */
let running: BuilderRig | undefined;
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => {
    console.log(`${name}: everything is ended; what is violated from here on is no fault`);
    void Promise.resolve(running?.[Symbol.asyncDispose]()).finally(() => process.exit(130));
  });

process.exitCode = await main();

async function main(): Promise<number> {
  const asked = readWords(process.argv.slice(2), Math.floor(Math.random() * 2 ** 32));
  switch (asked.kind) {
    case 'help':
      console.log(help);
      return 0;
    case 'wrong':
      console.error(`${asked.message}\n\n${help}`);
      return 64;
    case 'rounds':
      return playRounds(asked.rounds, asked.seed, asked.vm);
    case 'arrivals':
      return playArrivals(asked.count, asked.seed, asked.after);
    case 'aims':
      return playAims(asked.each, asked.seed);
    case 'kills':
      return playKills(asked.each, asked.seed);
    case 'sabotage':
      return playSabotages(asked.names);
  }
}

async function playRounds(
  count: number,
  seed: number,
  only: VmProgramName | undefined,
): Promise<number> {
  const words = only === undefined ? '' : ` --vm ${only}`;
  console.log(`seed ${seed} (again: scripts/chaos --rounds ${count} --seed ${seed}${words})`);
  // scripts/chaos says so when it could make a file system for this alone.
  const canFillDisk = process.env['CHAOS_OWN_DISK'] === '1';
  if (!canFillDisk) console.log('no file system of our own: nothing is done with a full disk');
  const outcomes: Outcome[] = [];
  const coming = plans(seed, { canFillDisk, ...(only === undefined ? {} : { only }) });
  let plan = coming.next().value;
  let rig: BuilderRig | undefined;
  try {
    for (;;) {
      const counted = outcomes.filter(counts).length;
      if (counted === count || outcomes.length - counted > mostUncounted) break;
      rig ??= await createRig();
      const outcome = await playAndTell(rig, { ...plan, number: outcomes.length + 1 });
      outcomes.push(outcome);
      plan = counts(outcome) ? coming.next().value : sooner(plan);
      if (outcome.violations.length === 0) continue;
      // What is left of it shows nothing more: the next round has another builder.
      console.log(rig.report());
      await rig[Symbol.asyncDispose]();
      rig = undefined;
    }
  } finally {
    await rig?.[Symbol.asyncDispose]();
  }
  console.log(summary(outcomes, seed));
  const isAll = outcomes.filter(counts).length === count;
  return isAll && outcomes.every(({ violations }) => violations.length === 0) ? 0 : 1;
}

async function playAndTell(rig: BuilderRig, round: Round): Promise<Outcome> {
  console.log(describe(round));
  const begun = performance.now();
  choose(rig, round);
  const outcome = await play(rig, round);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  for (const { check, what } of outcome.violations) console.log(`  VIOLATED ${check}: ${what}`);
  const { blow } = outcome;
  const came = blow.kind === 'kill' ? `killed by ${blow.by}` : `does not count: ${blow.why}`;
  console.log(`  ${came}, ${outcome.violations.length} violations, ${seconds} s`);
  return outcome;
}

/** Exit code 0 when no build failed. */
async function playArrivals(count: number, seed: number, after?: Gone): Promise<number> {
  const words = after === undefined ? '' : ` --after ${after}`;
  console.log(`seed ${seed} (again: scripts/chaos --arrivals ${count}${words} --seed ${seed})`);
  await using rig = await createSmall();
  const log = new WatchedLog(rig.layout.log);
  const host = await HostDaemon.begin(rig);
  await orReport(rig, beginOnDemand(rig, after));
  const coming = after === undefined ? arrivals(seed) : inAbsence();
  const all: Came[] = [];
  while (all.length < count) {
    const arrival = coming.next().value;
    const name = `s${seed}-${all.length + 1}`;
    const came = await orReport(rig, playArrival({ rig, log, host }, arrival, name));
    all.push(came);
    console.log(
      `${all.length}. beside a ${arrival.beside}, ${arrival.afterMs} ms after it; ${rootValuesOf(came)}`,
    );
  }
  return endArrivals(rig, all, seed);
}

/** Exit code 0 when no build failed. */
async function playAims(each: number, seed: number): Promise<number> {
  console.log(`seed ${seed} (again: scripts/chaos --arrivals-each ${each} --seed ${seed})`);
  await using rig = await createSmall();
  const log = new WatchedLog(rig.layout.log);
  using relay = await Relay.begin(rig.port);
  const host = await HostDaemon.begin(rig, relay.port);
  await orReport(rig, beginOnDemand(rig));
  // The first start formats the disk, and the first suspend is tried, which is over when the guest is away.
  await orReport(rig, getReady(rig));
  await rig.cli('suspend');
  const all: Came[] = [];
  for (const [n, aim] of aims(seed, each).entries()) {
    const name = `s${seed}-${n + 1}`;
    const came = await orReport(rig, playAim({ rig, log, host, relay }, aim, name));
    all.push(...came);
    console.log(`${n + 1}. aimed at ${aim.step}: ${came.map(rootValuesOf).join('; ')}`);
  }
  return endArrivals(rig, all, seed);
}

function rootValuesOf({ step, end, tookMs }: Came): string {
  const how = end === 0 ? 'well' : `with ${end}`;
  return `came in '${step}', ended ${how} after ${(tookMs / 1000).toFixed(1)} s`;
}

function endArrivals(rig: BuilderRig, all: readonly Came[], seed: number): number {
  if (all.some(({ end }) => end !== 0)) console.log(rig.report());
  console.log(arrivalsSummary(all, seed));
  return all.every(({ end }) => end === 0) ? 0 : 1;
}

async function getReady(rig: BuilderRig): Promise<void> {
  await rig.cli('resume');
  await rig.reaches('ready');
}

/** A builder whose guest is quickly there, and which several builds at a time go to. */
async function createSmall(): Promise<BuilderRig> {
  running = await BuilderRig.create({ configure: ['-m', '512', '--max-jobs', '4'] });
  return running;
}

async function orReport<T>(rig: BuilderRig, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    console.log(rig.report());
    throw error;
  }
}

/** Exit code 0 when nothing was wrong after any. */
async function playKills(each: number, seed: number): Promise<number> {
  console.log(`seed ${seed} (again: scripts/chaos --suspends ${each} --seed ${seed})`);
  await using rig = await createSmall();
  const log = new WatchedLog(rig.layout.log);
  await orReport(rig, beginOnDemand(rig));
  const all: Struck[] = [];
  for (const kill of kills(seed, each)) {
    const struck = await orReport(rig, playKill(rig, kill, { number: all.length + 1, log }));
    all.push(struck);
    const { isHit, back, wrong } = struck;
    const words = `${kill.target} ${kill.afterMs} ms into '${kill.step}'`;
    console.log(`${all.length}. ${words}${isHit ? '' : ' (nobody was there)'}; ${back}`);
    for (const what of wrong) console.log(`  WRONG ${what}`);
  }
  if (all.some(({ wrong }) => wrong.length > 0)) console.log(rig.report());
  console.log(killsSummary(all, seed));
  return all.every(({ wrong }) => wrong.length === 0) ? 0 : 1;
}

/** Exit code 0 when each was found by the check that is for it. */
async function playSabotages(names: readonly SabotageName[]): Promise<number> {
  const missed: string[] = [];
  for (const name of names) {
    const folder = join(checkout, '.cache/chaos', name);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    if (!(await isFound(name, folder))) missed.push(name);
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(
    `chaos: ${names.length} sabotages, ${missed.length} not found${missed.length > 0 ? `: ${missed.join(', ')}` : ''}`,
  );
  return missed.length === 0 ? 0 : 1;
}

async function isFound(name: SabotageName, folder: string): Promise<boolean> {
  const sabotage: Sabotage = sabotages[name];
  console.log(`sabotage ${name}`);
  const options = sabotaged(sabotage, { checkout, image: testImage(), folder });
  await using rig = await createRig(options);
  const outcome = await playAndTell(rig, { number: 1, ...sabotage.round });
  const found = isFoundBy(sabotage, outcome);
  console.log(`sabotage ${name}: ${found ? 'found' : 'NOT FOUND'}`);
  if (!found) console.log(rig.report());
  return found;
}

async function createRig(options: RigOptions = {}): Promise<BuilderRig> {
  const programs = await standIns();
  const rig = await BuilderRig.create(options);
  running = rig;
  Object.assign(rig.env, { PATH: `${programs}:${rig.env['PATH'] ?? ''}` });
  return rig;
}

/** The folders of the VM programs of a Mac, and of a gvproxy that serves them all. */
async function standIns(): Promise<string> {
  const folder = join(checkout, '.cache/chaos/programs');
  const gvproxy = await fetchGvproxy();
  mkdirSync(folder, { recursive: true });
  // They are no modules, as everything else below the checkout's own package.json would be.
  writeFileSync(join(folder, 'package.json'), '{}\n');
  await Promise.all([makeProgram(folder, 'vfkit'), makeProgram(folder, 'hyperkit')]);
  // A process of its own stands before that one, so only vfkit has it: of another who is frozen is to be frozen whole.
  const withVfkitMode = await makeProgram(join(folder, 'vfkit-mode'), 'gvproxy', gvproxy);
  const script = `#!/bin/sh\ncase " $* " in *' -listen-vfkit '*) exec '${withVfkitMode}' "$@" ;; esac\nexec '${gvproxy}' "$@"\n`;
  writeFileSync(join(folder, 'bin/gvproxy'), script, { mode: 0o755 });
  return join(folder, 'bin');
}
