/** Settings of Nix that would take builds elsewhere, or nowhere: found where they stand, and named. */
import { daemonVariable } from './daemon-environment.ts';
import { assigned, elsewhere, type NixConflict } from './elsewhere.ts';
import { OthersFiles } from '../system/files/others-files.ts';
import { finalTarget } from '../system/files/final-target.ts';
import { externalSystems, hides, type NixSetting } from './conf.ts';
import { leadsToUs } from './machines.ts';
import { nixesHere, type Find, type NixOptions } from './one-nix.ts';

/** Whose settings are read, and what the builder is. */
export interface NixConflictOptions extends NixOptions {
  /** What we build. */
  readonly system: string;
  /** What this machine is, where that is a system of ours; what else it builds its settings say. */
  readonly ownSystem: string | undefined;
}

/** All of them, worst first. */
export function nixConflicts(options: NixConflictOptions): NixConflict[] {
  const { variant } = options;
  const { machines } = options.systemPaths.roots;
  const others = new OthersFiles();
  const { read } = others;
  const { daemons, yours } = nixesHere(options, others);
  const { isSingle, find } = daemons;
  const then = variant?.restart === undefined ? '' : ` Then: ${variant.restart}`;
  const forAll = [
    ...buildersConflict(find('builders'), { machines, read }),
    ...daemonsRemoteSystems(options, machines, others),
    ...external(find('external-builders'), options),
    ...maxJobs(find, options),
    ...(isSingle ? [] : elsewhere(daemons)),
  ].map((each) => ({ ...each, hint: `${each.hint}${then}` }));
  const forYou = [
    ...yourRemoteSystems(options, machines),
    ...elsewhere(yours),
    ...(isSingle ? [] : buildersConflict(yours.find('builders'), { machines, read }, 'yours')),
  ];
  return worstFirst([...refusals(options), ...forAll, ...forYou, ...unreadConflicts(others)]);
}

const worstFirst = (all: readonly NixConflict[]): NixConflict[] => [
  ...all.filter(({ weight }) => weight === 'no-builds'),
  ...all.filter(({ weight, isOrdinary }) => weight === 'some-builds' && isOrdinary !== true),
  ...all.filter(({ isOrdinary }) => isOrdinary === true),
];

/** Settings with which Nix does nothing at all. */
function refusals({ variant, systemPaths }: NixConflictOptions): NixConflict[] {
  if (variant?.refused === undefined) return [];
  const { whose, words: quotes } = variant.refused;
  const { message, hint } = {
    all: {
      message: `Nix refuses the settings in ${systemPaths.roots.nixConf}, or in a file that it includes, so nothing can be built.`,
      hint: 'Fix what Nix names when you run: nix --version',
    },
    daemon: {
      message: 'Nix refuses the NIX_CONFIG that nix-daemon is given, so nothing can be built.',
      hint: 'Fix it in the service of nix-daemon.',
    },
    yours: {
      message:
        'Nix refuses settings of your own (your nix.conf, or NIX_CONFIG), so you cannot build anything.',
      hint: 'Fix what Nix names when you run: nix --version',
    },
  }[whose];
  return [{ weight: 'no-builds', message, hint, quotes }];
}

function buildersConflict(
  setting: NixSetting | undefined,
  { machines, read }: { readonly machines: string; readonly read: OthersFiles['read'] },
  whose: 'all' | 'yours' = 'all',
): NixConflict[] {
  if (setting === undefined || !hides(setting.value, machines)) return [];
  // It may have our line itself, or name another file that has.
  if (leadsToUs(setting.value, read)) return [];
  const effect = {
    all: `so Nix ignores ${machines}`,
    // The daemon takes it from those whom it trusts.
    yours: `which replaces ${machines} for your own builds if nix-daemon trusts you`,
  }[whose];
  return [
    {
      weight: whose === 'all' ? 'no-builds' : 'some-builds',
      message: `${where(setting)} sets ${assigned('builders', setting.value)}, ${effect}.`,
      hint: buildersHint(setting.file, machines),
    },
  ];
}

/** What helps, where `builders` stands in that file. */
export const buildersHint = (file: string, machines: string): string =>
  finalTarget(file).startsWith('/nix/store/')
    ? 'NixOS or nix-darwin generates that file: set nix.distributedBuilds = true in its configuration (determinateNix.distributedBuilds with Determinate Nix).'
    : `Remove that line, or add @${machines} to it.`;

/** globals.cc: replaces `builders`. */
function yourRemoteSystems({ env, variant }: NixConflictOptions, machines: string): NixConflict[] {
  const own = env['NIX_REMOTE_SYSTEMS'];
  if (own === undefined || own.split(':').includes(machines)) return [];
  return [
    {
      weight: variant?.mode === 'single-user' ? 'no-builds' : 'some-builds',
      message: `NIX_REMOTE_SYSTEMS=${own} in your environment replaces Nix's list of builders.`,
      hint: `Unset it, or add ${machines} to it.`,
    },
  ];
}

/** For builds through the daemon it counts in the daemon's environment. */
function daemonsRemoteSystems(
  { tree }: NixConflictOptions,
  machines: string,
  others: OthersFiles,
): NixConflict[] {
  const found = daemonVariable('NIX_REMOTE_SYSTEMS', tree, others);
  if (found === undefined || found.value.split(':').includes(machines)) return [];
  return [
    {
      weight: 'no-builds',
      message: `${found.file} sets NIX_REMOTE_SYSTEMS=${found.value} for nix-daemon, which replaces Nix's list of builders.`,
      hint: `Remove it from that file, or add ${machines} to it.`,
    },
  ];
}

function external(setting: NixSetting | undefined, { system }: NixConflictOptions): NixConflict[] {
  if (setting === undefined) return [];
  const systems = externalSystems(setting.value);
  if (systems === undefined)
    return [
      {
        weight: 'no-builds',
        message: `${where(setting)}: external-builders is not the JSON that Nix expects.`,
        hint: 'Fix it or remove it.',
      },
    ];
  if (!systems.includes(system)) return [];
  return [
    {
      weight: 'some-builds',
      message: `${where(setting)}: external-builders takes ${system} builds that prefer to be built locally, and all others while this builder is busy or down.`,
      hint: 'Remove that entry if such builds fail or hang there.',
    },
  ];
}

function maxJobs(find: Find, { system, ownSystem }: NixConflictOptions): NixConflict[] {
  const setting = find('max-jobs');
  const words = (name: string) => find(name)?.value.split(/\s+/) ?? [];
  const built = [
    find('system')?.value ?? ownSystem,
    ...words('extra-platforms'),
    ...words('extra-extra-platforms'),
  ];
  if (!built.includes(system) || setting?.value === '0') return [];
  return [
    {
      weight: 'some-builds',
      isOrdinary: true,
      message: `This machine also builds for ${system}${setting === undefined ? '' : `, with max-jobs = ${setting.value} (${where(setting)})`}, so builds that need no feature of the builder may stay here.`,
      hint: 'To send all of them to the builder, set max-jobs = 0, or use -j0 on the command line.',
    },
  ];
}

/** What may be in them is not known. */
const unreadConflicts = ({ unread }: OthersFiles): NixConflict[] =>
  [...unread].map(([path, why]) => ({
    weight: 'some-builds',
    message: `${path} could not be read (${why}), so its settings were not checked.`,
    hint: 'Check yourself whether it sets builders, external-builders or NIX_REMOTE_SYSTEMS.',
  }));

const where = ({ file, line }: NixSetting): string => `${file}, line ${line}`;
