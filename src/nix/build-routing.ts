/** Where Nix would build a derivation, and why: its own rules (build-remote.cc, derivation goals), on what is known. Pure. */
import { extraSystemsOf } from '../domain/guest-system.ts';
import { describeLost } from './extra-systems.ts';
import { misspelt, missingInGuest } from './features.ts';
import type { MachinesEntry } from './machines.ts';

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
  /** Systems of the list that the guest was seen not to run. */
  readonly lost?: readonly string[];
  /** Undefined without a daemon; `builds`: what becomes of one that comes. */
  readonly builder:
    { readonly phase: string; readonly builds: 'now' | 'later' | 'not' } | undefined;
}

/** One condition, held or not, with what helps. */
export interface Reason {
  readonly holds: boolean;
  readonly text: string;
  readonly remedy?: string;
}

export interface Routing {
  readonly where: 'here-already' | 'comes' | 'may-stay' | 'stays' | 'nowhere' | 'unknown';
  /** The answer in a sentence. */
  readonly answer: string;
  readonly reasons: readonly Reason[];
}

export function routingOf(drv: Derivation, world: RoutingFacts): Routing {
  const comes = [...lineReasons(world), ...fitReasons(drv, world), daemonReason(world)];
  const failing = comes.filter(({ holds }) => !holds);
  const locals = localReasons(drv, world);
  const local = locals.every(({ holds }) => holds);
  const reasons = [...comes, ...locals, ...externalReasons(drv, world)];
  const say = (where: Routing['where'], answer: string) => ({ where, answer, reasons });
  if (world.isBuilt) return say('here-already', 'Nothing is built: its outputs are here already.');
  if (world.ours === undefined && world.unread.size > 0)
    return say(
      'unknown',
      'Whether it comes to the builder cannot be told, since a file could not be read.',
    );
  if (failing.length > 0)
    return local
      ? say('stays', 'It is built on this machine itself, since it cannot come to the builder.')
      : say('nowhere', 'It does not come to the builder, and this machine cannot build it itself.');
  if (local && drv.preferLocal)
    return say('stays', 'It is built on this machine itself: it prefers to be local.');
  return local
    ? say('may-stay', 'This machine may build it itself; what it has no free job for comes here.')
    : say('comes', 'It comes to the builder.');
}

function lineReasons(world: RoutingFacts): Reason[] {
  const { ours, hidden, malformed, unread } = world;
  if (ours === undefined && unread.size > 0)
    return [...unread].map(([path, why]) => ({
      holds: false,
      text: `${path} could not be read (${why})`,
      remedy: 'Ask as somebody who may read it.',
    }));
  return [
    malformed === undefined
      ? { holds: true, text: 'Nix can read its list of builders' }
      : { holds: false, text: malformed, remedy: 'Mend that line: Nix reads all or nothing.' },
    hidden === undefined
      ? { holds: true, text: '`builders` leads to that list' }
      : {
          holds: false,
          text: `\`builders\` is ${JSON.stringify(hidden)}, which leads elsewhere`,
          remedy: 'linuxkit-builder doctor names the file and the line.',
        },
    ours === undefined
      ? { holds: false, text: 'the list does not name the builder', remedy: registering(world) }
      : ours.maxJobs > 0
        ? { holds: true, text: `the list names the builder, with ${ours.maxJobs} jobs` }
        : {
            holds: false,
            text: 'the list names the builder with 0 jobs, and Nix waits for one to be free',
            remedy: configure,
          },
  ];
}

function fitReasons({ system, features }: Derivation, { ours, lost }: RoutingFacts): Reason[] {
  if (ours === undefined) return [];
  const reserved = ours.mandatory.filter((feature) => !features.includes(feature));
  return [
    ours.systems.includes(system) || system === 'builtin'
      ? { holds: true, text: `it is for ${system}, which the builder builds` }
      : {
          holds: false,
          text: `it is for ${system}, and the builder builds ${ours.systems.join(', ')}`,
          remedy: otherSystem(system, ours.systems),
        },
    ...(lost?.includes(system) === true
      ? [
          {
            holds: false,
            text: `the guest runs no programs of ${system}`,
            remedy: describeLost([system]),
          },
        ]
      : []),
    featureReason(features, ours),
    ...(reserved.length === 0 ? [] : [reservedReason(reserved)]),
  ];
}

/** What its guest may run is offered where it does; anything else is another machine's. */
const otherSystem = (system: string, ours: readonly string[]): string =>
  Object.entries(extraSystemsOf).some(
    ([own, more]) => ours.includes(own) && more.some((name) => name === system),
  )
    ? `Where the guest runs that, which is tried: ${configure} --extra-systems ${system}`
    : `Ask for it by its system: --system ${ours[0] ?? ''}, or --argstr system.`;

/** What the line offers, less what a guest cannot do whatever the line says. */
function featureReason(features: readonly string[], ours: MachinesEntry): Reason {
  const impossible = features.filter((feature) => missingInGuest(feature) !== undefined);
  if (impossible.length > 0)
    return {
      holds: false,
      text: `it requires ${impossible.join(', ')}, which the builder cannot do`,
      remedy: impossible.map((name) => `${name} ${missingInGuest(name)}.`).join(' '),
    };
  const offered = [...ours.features, ...ours.mandatory];
  const lacking = features.filter((feature) => !offered.includes(feature));
  if (lacking.length === 0)
    return {
      holds: true,
      text: `it requires ${features.length === 0 ? 'no features' : features.join(', ')}`,
    };
  return {
    holds: false,
    text: `it requires ${lacking.join(', ')}, which the builder does not offer`,
    remedy: offering(lacking, ours),
  };
}

function offering(lacking: readonly string[], ours: MachinesEntry): string {
  if (lacking.includes('kvm')) return 'The guest offers kvm only where it has it.';
  const meant = lacking.flatMap((name) => {
    const known = misspelt(name);
    return known === undefined ? [] : [`${name} is no feature of Nix's; ${known} is.`];
  });
  return meant.length > 0
    ? `${meant.join(' ')} Mend the derivation.`
    : `If the guest can do that: ${configure} -f ${[...ours.features, ...lacking].join(',')}`;
}

const reservedReason = (features: readonly string[]): Reason => ({
  holds: false,
  text: `the list keeps the builder for what requires ${features.join(', ')}`,
  remedy: `Put - into the 7th field of its line, or: ${configure}`,
});

const configure = 'linuxkit-builder configure';

/** Of a machine on which nothing has been set up, one command does all of it. */
const registering = ({ isSetUp }: RoutingFacts): string => (isSetUp ? configure : up);
const up = 'linuxkit-builder up';

function daemonReason({ builder, isSetUp }: RoutingFacts): Reason {
  if (builder === undefined)
    return {
      holds: false,
      text: 'no daemon runs',
      remedy: isSetUp ? 'linuxkit-builder start' : up,
    };
  const text = `the builder is '${builder.phase}'`;
  switch (builder.builds) {
    case 'now':
      return { holds: true, text: 'the builder is ready' };
    case 'later':
      return { holds: true, text: `${text}: a build waits until it is ready` };
    case 'not':
      return { holds: false, text, remedy: 'linuxkit-builder status' };
  }
}

/** What lets this machine build it itself; all have to hold. */
function localReasons(
  { system, builtin, features }: Derivation,
  { config }: RoutingFacts,
): Reason[] {
  const systems = [config.system, ...config.extraPlatforms];
  const lacking = features.filter((feature) => !config.features.includes(feature));
  const within = { holds: true, text: 'Nix itself builds it, on any machine and without a job' };
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
    ? [{ holds: true, text: `external-builders takes ${system} when the builder does not` }]
    : [];
