/** scripts/chaos. Runs bundled, as .cache/chaos/main.mjs: as deep in the checkout as the rig's own folder, which looks for it there. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BuilderRig, testImage, type RigOptions } from '../real/rig.ts';
import { fetchGvproxy } from '../rig/gvproxy.ts';
import { makeProgram } from '../rig/stand-in.ts';
import { choose } from './aftermath.ts';
import { help, readWords, wordsFor } from './command-line.ts';
import { describe, plans, sooner, type Round, type VmProgramName } from './plan.ts';
import { playOnDemand, type OnDemand } from './on-demand.ts';
import { play } from './round.ts';
import { sabotaged } from './sabotaged.ts';
import { isFoundBy, sabotages, type Sabotage, type SabotageName } from './sabotages.ts';
import { counts, summary, type Outcome } from './tally.ts';
import { removeTree } from '../remove-tree.ts';

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
    case 'on-demand':
      return beginOnDemand(asked);
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

/** Exit code 0 when no build failed, and nothing was wrong after any kill. */
async function beginOnDemand(asked: OnDemand): Promise<number> {
  console.log(`seed ${asked.seed} (again: scripts/chaos ${wordsFor(asked)})`);
  // A builder whose guest is quickly there, and which several builds at a time go to.
  await using rig = await BuilderRig.create({ configure: ['-m', '512', '--max-jobs', '4'] });
  running = rig;
  let isWell = false;
  try {
    isWell = await playOnDemand(rig, asked);
  } finally {
    if (!isWell) console.log(rig.report());
  }
  return isWell ? 0 : 1;
}

/** Exit code 0 when each was found by the check that is for it. */
async function playSabotages(names: readonly SabotageName[]): Promise<number> {
  const missed: string[] = [];
  for (const name of names) {
    const folder = join(checkout, '.cache/chaos', name);
    removeTree(folder);
    mkdirSync(folder, { recursive: true });
    if (!(await isFound(name, folder))) missed.push(name);
    removeTree(folder);
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
