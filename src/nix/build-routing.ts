/** Where Nix would build a derivation, and why: its own rules (build-remote.cc, derivation goals), on what is known. Pure. */
import { configure, fitReasons, type Reason } from './fit-reasons.ts';
import type { MachinesEntry } from './machines.ts';
import { advice, ours, plainly, type Text } from '../system/advice.ts';

/** What Nix says of a derivation. */
export interface Derivation {
  readonly path: string;
  readonly system: string;
  /** Nix builds it within itself, `builtin:fetchurl`: for no system, and with no job. */
  readonly builtin: boolean;
  readonly features: readonly string[];
  readonly preferLocal: boolean;
  /** Paths of its outputs; none for one whose outputs are named by their content. */
  readonly outputs: readonly string[];
}

/** What Nix says of itself. */
export interface NixConfig {
  readonly system: string;
  readonly extraPlatforms: readonly string[];
  readonly features: readonly string[];
  /** 0 builds nothing here. */
  readonly maxJobs: number;
  readonly builders: string;
}

/** All that Nix would go by. */
export interface RoutingFacts {
  readonly config: NixConfig;
  /** Our line in Nix's list; undefined where it has none. */
  readonly ours: MachinesEntry | undefined;
  /** Undefined when `builders` leads to the list that has our line; else what it says instead. */
  readonly hidden: string | undefined;
  /** What makes Nix refuse the whole list. */
  readonly malformed: string | undefined;
  /** Files that could not be read, each with the reason: what they say is not known. */
  readonly unread: ReadonlyMap<string, string>;
  /** Systems that external-builders takes. */
  readonly external: readonly string[];
  readonly isBuilt: boolean;
  /** False where nothing has been set up on this machine: then one command does all of it. */
  readonly isSetUp: boolean;
  /** Whose the builder of this machine is, where it is not that of whoever asks. */
  readonly othersName?: string | undefined;
  /** Systems of the list that the guest was seen not to run. */
  readonly lost?: readonly string[];
  /** Undefined without a daemon; `builds`: what becomes of one that comes. */
  readonly builder:
    | {
        readonly phase: string;
        readonly builds: 'now' | 'later' | 'not';
        /** Its door refuses everybody. */
        readonly isDrained?: boolean;
      }
    | undefined;
}

/** What it comes to. */
export interface Routing {
  readonly where: 'here-already' | 'comes' | 'may-stay' | 'stays' | 'nowhere' | 'unknown';
  /** The answer in a sentence. */
  readonly answer: string;
  readonly reasons: readonly Reason[];
}

/** All reasons are told, also those that hold. */
export function routingOf(drv: Derivation, world: RoutingFacts): Routing {
  const comes = [...lineReasons(world), ...fitReasons(drv, world), daemonReason(world)];
  const failing = comes.filter(({ holds }) => !holds);
  const locals = localReasons(drv, world);
  const local = locals.every(({ holds }) => holds);
  const reasons = [...comes, ...locals, ...externalReasons(drv, world)];
  const say = (where: Routing['where'], answer: string) => ({ where, answer, reasons });
  if (world.isBuilt)
    return say(
      'here-already',
      'Nothing has to be built: its outputs already exist on this machine.',
    );
  if (world.ours === undefined && world.unread.size > 0)
    return say(
      'unknown',
      'It is not known whether it goes to the builder: a file could not be read.',
    );
  if (failing.length > 0)
    return local
      ? say('stays', 'It is built on this machine: it cannot go to the builder.')
      : say('nowhere', 'It cannot go to the builder, and this machine cannot build it either.');
  if (local && drv.preferLocal)
    return say('stays', 'It is built on this machine: it prefers to be built locally.');
  // The hook is asked first, whatever is free here (derivation-goal.cc); it declines when no builder has a slot (build-remote.cc).
  return local
    ? say(
        'may-stay',
        'It goes to the builder if that has a free job when the build starts; otherwise this machine builds it.',
      )
    : say('comes', 'It goes to the builder.');
}

function lineReasons(world: RoutingFacts): Reason[] {
  const { ours, hidden, malformed, unread } = world;
  if (ours === undefined && unread.size > 0)
    return [...unread].map(([path, why]) => ({
      holds: false,
      text: `${path} could not be read (${why})`,
      remedy: 'Run this as a user who can read it.',
    }));
  return [
    malformed === undefined
      ? { holds: true, text: 'Nix can read its list of builders' }
      : {
          holds: false,
          text: malformed,
          remedy: 'Fix that line: because of it, Nix ignores the whole list.',
        },
    hidden === undefined
      ? { holds: true, text: 'the setting `builders` refers to that list' }
      : {
          holds: false,
          text: `the setting \`builders\` is ${JSON.stringify(hidden)}, which does not refer to that list`,
          remedy: seeWhere,
        },
    ours === undefined
      ? { holds: false, text: 'the builder is not in the list', remedy: registering(world) }
      : ours.maxJobs > 0
        ? { holds: true, text: `the builder is in the list, with max-jobs ${ours.maxJobs}` }
        : {
            holds: false,
            text: 'the builder is in the list with max-jobs 0, so Nix would wait forever',
            remedy: configure,
          },
  ];
}

/** Of a machine on which nothing has been set up, one command does all of it. */
const registering = ({ isSetUp, othersName }: RoutingFacts): Text =>
  isSetUp
    ? configure
    : othersName === undefined
      ? up
      : advice`Ask ${othersName} to run: ${plainly(configure)}`;
const up = ours('up');
const seeWhere = advice`To see the file and the line, run: ${ours('doctor')}`;

function daemonReason(world: RoutingFacts): Reason {
  const { builder } = world;
  if (builder === undefined) return withoutDaemon(world);
  if (builder.isDrained === true && builder.builds !== 'not')
    return {
      holds: false,
      text: 'the builder is drained, so it refuses new builds',
      remedy: ours('undrain'),
    };
  const text = `the builder is '${builder.phase}'`;
  switch (builder.builds) {
    case 'now':
      return { holds: true, text: 'the builder is ready' };
    case 'later':
      return { holds: true, text: `${text}: a build waits until it is ready` };
    case 'not':
      return { holds: false, text, remedy: ours('status') };
  }
}

/** Of ours; that of another user's builder is not for us to see. */
function withoutDaemon({ isSetUp, othersName }: RoutingFacts): Reason {
  if (!isSetUp && othersName !== undefined)
    return {
      holds: true,
      text: `the builder belongs to ${othersName}, and only ${othersName} can see whether it is ready`,
    };
  return {
    holds: false,
    text: 'the daemon is not running',
    remedy: isSetUp ? ours('start') : up,
  };
}

/** What lets this machine build it itself; all have to hold. */
function localReasons(
  { system, builtin, features }: Derivation,
  { config }: RoutingFacts,
): Reason[] {
  const systems = [config.system, ...config.extraPlatforms];
  const lacking = features.filter((feature) => !config.features.includes(feature));
  const within = {
    holds: true,
    text: 'Nix builds it internally, on any machine and without a job',
  };
  return [
    ...(builtin
      ? [within]
      : [{ holds: systems.includes(system), text: `this machine builds ${systems.join(', ')}` }]),
    {
      holds: lacking.length === 0,
      text: lacking.length === 0 ? 'and has the features' : `and lacks ${lacking.join(', ')}`,
    },
    ...(builtin
      ? []
      : [{ holds: config.maxJobs > 0, text: `and builds ${config.maxJobs} at a time` }]),
  ];
}

const externalReasons = ({ system }: Derivation, { external }: RoutingFacts): Reason[] =>
  external.includes(system)
    ? [
        {
          holds: true,
          text: `external-builders takes ${system} builds that the builder does not take`,
        },
      ]
    : [];
