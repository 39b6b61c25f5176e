/** The status record as the daemon composes it: what is true, from the state and what is known beside it. Pure. */
import { changesBetween, waitsForStart } from '../../config/config-changes.ts';
import type { Config } from '../../config/config.ts';
import type { Problem } from '../../domain/problem.ts';
import { hasOwnNetwork, networkNames, vmNames } from '../../domain/vm-programs.ts';
import { writtenFor } from '../../system/advice.ts';
import type { Failure } from '../../system/failure.ts';
import type { ProcessIdentity } from '../../system/process/process.ts';
import type { DoorStatus } from './door-status.ts';
import { sentenceOf } from '../lifecycle/sentences.ts';
import type { In, State } from '../lifecycle/state.ts';
import type { Facts, Status } from './status-schema.ts';

/** All that a status is composed from. */
export interface StatusInput {
  readonly state: State;
  readonly facts: Facts;
  readonly daemon: ProcessIdentity;
  readonly release?: string | undefined;
  readonly door: DoorStatus | undefined;
  readonly config: Config | undefined;
  /** What the current start was made with; undefined when there is none. */
  readonly runs: Config | undefined;
  readonly problems: readonly Problem[];
  readonly suspendGivenUp?: Status['suspendGivenUp'] | undefined;
  /** What the commands in it have to name: the state directory, where it is not the usual one. */
  readonly directory?: string | undefined;
}

/** State and facts -> the record. Pure. */
export const statusOf = (input: StatusInput): Status =>
  writtenFor(recordOf(input), input.directory);

function recordOf(input: StatusInput): Status {
  const { state, facts, daemon, release, door, config, runs, problems } = input;
  const builder = runs ?? config;
  const pending =
    runs === undefined || config === undefined
      ? []
      : changesBetween(runs, config).filter(waitsForStart);
  return {
    version: 1,
    phase: state.phase,
    since: iso(state.since),
    sentence: sentenceOf(state, problems),
    ...('attempt' in state ? { attempt: state.attempt } : {}),
    ...(failureIn(state) === undefined ? {} : { because: failureIn(state) as Failure }),
    ...('last' in state ? { last: state.last } : {}),
    ...(state.phase === 'away' ? { away: awayOf(state) } : {}),
    ...(input.suspendGivenUp && { suspendGivenUp: input.suspendGivenUp }),
    ...('until' in state ? { until: iso(state.until) } : {}),
    ...facts,
    daemon,
    ...(release === undefined ? {} : { release }),
    ...(door === undefined ? {} : { door }),
    ...(builder === undefined ? {} : { builder: builderOf(builder, facts) }),
    ...(pending.length === 0 ? {} : { pending }),
    ...(problems.length === 0 ? {} : { problems }),
  };
}

const awayOf = ({ why, saved, instead }: In<'away'>): NonNullable<Status['away']> =>
  saved === undefined
    ? { guest: 'stopped', why: why.type, ...(instead !== undefined && { instead }) }
    : { guest: 'suspended', why: why.type, saved };

/** The failure that a state is about, if it is about one. */
export function failureIn(state: State): Failure | undefined {
  if (!('because' in state)) return undefined;
  const { because } = state;
  if (!('type' in because)) return because;
  return 'failure' in because ? because.failure : undefined;
}

/** The settings that the guest has, without those of this machine. */
function builderOf(
  config: Config,
  { vmChoice, network: chosen }: Facts,
): NonNullable<Status['builder']> {
  const vm = vmNames.find((name) => name === vmChoice?.vm) ?? config.vm;
  const named = networkNames.find((name) => name === chosen);
  const own = config.network === 'auto' && hasOwnNetwork(vm) ? 'user' : config.network;
  const { cpus, memoryMiB, diskGiB, maxJobs, system, features } = config;
  const { door, port, accelerator, bundle, holdSeconds, keepAwake, start, idle } = config;
  return {
    vm,
    network: named ?? own,
    cpus,
    memoryMiB,
    diskGiB,
    maxJobs,
    system,
    features,
    door,
    port,
    accelerator,
    bundle,
    holdSeconds,
    keepAwake,
    start,
    idle,
    ...(config.extraSystems.length > 0 && { extraSystems: config.extraSystems }),
  };
}
const iso = (ms: number): string => new Date(ms).toISOString();
