/** What must be so after every round, in the order in which it can be seen. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { readStatus } from '../../src/supervisor/status/status.ts';
import { fact, type Command } from '../real/command.ts';
import type { BuilderRig } from '../real/rig.ts';
import type { Judge } from './judge.ts';
import type { Plan, Round } from './plan.ts';
import { killed, pidOf } from './prey.ts';
import type { Check } from './tally.ts';
import { Violated } from './violated.ts';
import { beginAgain, begunWords } from './work.ts';

/** What a blow falls into. */
export interface Scene {
  readonly build: Command;
  /** The stop in which the blow fell. */
  readonly stop: Command | undefined;
  /** Of what is looked at all the while. */
  readonly judge: Judge;
}

/** A guest that is frozen for good is found within 40 s; with a boot before and after it this is ample. */
const limitMs = 130_000;

/** Goes on from the blow to a stopped builder. Throws Violated at the first thing that is not as it must be. */
export async function isWellAgain(rig: BuilderRig, round: Round, scene: Scene): Promise<void> {
  const { build, stop, judge } = scene;
  await must('clean-end', 'the build that was struck ends by itself', () =>
    fact('the end of nix', () => build.end !== undefined || judge.verdict !== undefined, limitMs),
  );
  judge.throwIfSpoken();
  if (stop !== undefined)
    await must(
      'clean-end',
      'the stop ends by itself, and has stopped it',
      () => hasStopped(stop),
      () => stop.said,
    );
  if (round.target !== 'daemon' && stop === undefined && readStatus(rig.layout).daemon === 'gone')
    throw new Violated('daemon-lives', `the daemon ended, and only the ${round.target} was hit`);
  const stranger = round.reusedPid ? reusePid(rig) : undefined;
  if (round.next !== undefined) choose(rig, round.next);
  if (round.relapseMs !== undefined) {
    await start(rig);
    await pause(round.relapseMs);
    await killed(rig, 'daemon', pidOf(rig, 'daemon'));
  }
  await startsAgain(rig, judge);
  await must('store', 'the store is what its database says', () => verifies(rig));
  await worksAndDrains(rig, round.number);
  await must('leftovers', 'nothing is left', async () => (await rig.leavesNothing(), true));
  if (stranger !== undefined) {
    if (stranger.end !== undefined)
      throw new Violated('strangers', `a stranger was ended by ${stranger.end}`);
    await stranger.kill();
  }
}

/** Has the settings name that program and its network, for the next start. */
export function choose(
  { layout }: BuilderRig,
  { vm, network }: Pick<Plan, 'vm' | 'network'>,
): void {
  const config = JSON.parse(readFileSync(layout.config, 'utf8')) as Record<string, unknown>;
  writeFileSync(layout.config, JSON.stringify({ ...config, vm, network }));
}

const over = (command: Command) =>
  fact(`the end of ${command.argv[0] ?? ''}`, () => command.end !== undefined, limitMs);

async function hasStopped(stop: Command): Promise<boolean> {
  await over(stop);
  return stop.end === 0;
}

/** A process that has nothing to do with us has the dead daemon's pid; undefined when the daemon lives. */
function reusePid(rig: BuilderRig): Command | undefined {
  const { layout } = rig;
  const last = readStatus(layout);
  if (last.daemon === 'alive' || last.last === undefined) return undefined;
  const stranger = rig.run(['sleep', '1000']);
  const whose = { ...last.last.daemon, pid: stranger.pid };
  writeFileSync(layout.status, JSON.stringify({ ...last.last, daemon: whose }));
  writeFileSync(layout.daemonPid, JSON.stringify(whose));
  writeFileSync(layout.pid('daemon'), `${stranger.pid}\n`);
  return stranger;
}

async function startsAgain(rig: BuilderRig, judge: Judge): Promise<void> {
  await start(rig);
  await must('next-start', 'the builder gets ready', () =>
    fact('ready', () => isReady(rig) || judge.verdict !== undefined, limitMs),
  );
  judge.throwIfSpoken();
}

async function start(rig: BuilderRig): Promise<void> {
  const lives = readStatus(rig.layout).daemon === 'alive';
  const start = await rig.cli('start');
  const says = lives ? /^(Started|The daemon is already running)/ : /^Started/;
  if (start.end !== 0 || !says.test(start.stdout))
    throw new Violated(
      'next-start',
      `start ended with ${start.end ?? ''}: ${start.said.trim()}\n${lastWords(rig)}`,
    );
}

/** The last that a daemon in the background said, which `start` only names the place of. */
const lastWords = ({ layout }: BuilderRig): string =>
  existsSync(layout.daemonOutput) ? readFileSync(layout.daemonOutput, 'utf8').slice(-1_000) : '';

/** Ready, and not only said to be: who is named in the record lives. */
function isReady(rig: BuilderRig): boolean {
  const found = readStatus(rig.layout);
  if (found.daemon === 'gone' || found.status.phase !== 'ready') return false;
  const { vmPid, networkPid } = found.status;
  return pidOf(rig, 'vm') === vmPid && pidOf(rig, 'network') === networkPid;
}

async function verifies(rig: BuilderRig): Promise<boolean> {
  const { end, said } = await rig.cli(
    ...(['ssh', '--root', '--', 'nix-store --verify --check-contents'] as const),
  );
  if (end === 0 && !/modified|disappeared|error/.test(said)) return true;
  throw new Error(said);
}

/** The struck build and one more; a stop comes while the guest builds that, and waits for it. */
async function worksAndDrains(rig: BuilderRig, number: number): Promise<void> {
  const again = beginAgain(rig, number);
  await must(
    'retry',
    'the build succeeds when it is tried again',
    async () => {
      const words = begunWords('again', number);
      await fact('it builds', () => again.end !== undefined || again.said.includes(words), limitMs);
      return again.end === undefined;
    },
    () => again.said,
  );
  const stop = rig.begin('stop');
  await must(
    'drain',
    'the stop waits for the build',
    async () => {
      await over(again);
      return again.end === 0;
    },
    () => again.said,
  );
  await must(
    'drain',
    'the stop ends when the build has',
    () => hasStopped(stop),
    () => stop.said,
  );
}

/** Throws Violated when the check rejects or says no. */
async function must(
  check: Check,
  what: string,
  holds: () => Promise<boolean>,
  more: () => string = () => '',
): Promise<void> {
  try {
    if (await holds()) return;
  } catch (error) {
    throw new Violated(check, `not so: ${what} (${(error as Error).message}) ${more()}`);
  }
  throw new Violated(check, `not so: ${what}. ${more()}`);
}
