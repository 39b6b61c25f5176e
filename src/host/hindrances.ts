/** Settings of Nix that would take builds elsewhere, or nowhere: found where they stand, and named. */
import { join } from 'node:path';
import { errorCode } from '../system/failure.ts';
import { readIfThere } from '../system/files.ts';
import { externalSystems, hides, settingOf, type Setting } from './nix-conf.ts';
import { rootLayout, type Places } from './places.ts';
import type { NixVariant } from './nix-variant.ts';

/** One thing in the way. */
export interface Hindrance {
  /** `no-builds`: Nix never comes to us. `some-builds`: some go elsewhere. */
  readonly weight: 'no-builds' | 'some-builds';
  readonly message: string;
  readonly hint: string;
}

export interface HindranceOptions {
  readonly places: Places;
  readonly tree: string;
  readonly variant: NixVariant | undefined;
  /** What we build. */
  readonly system: string;
  /** What this machine builds itself; undefined for none of ours. */
  readonly ownSystem: string | undefined;
  readonly env: NodeJS.ProcessEnv;
}

/** All of them, worst first. */
export function hindrancesOf(options: HindranceOptions): Hindrance[] {
  const { nixConf, machines } = rootLayout(options.places);
  const find = (name: string) => settingOf(name, nixConf, readOrNothing);
  const all = [
    ...buildersHindrance(find('builders'), machines),
    ...remoteSystems(options, machines),
    ...external(find('external-builders'), options),
    ...maxJobs(find('max-jobs'), options),
  ];
  const mends = options.variant?.restart;
  const then = mends === undefined ? '' : ` Then: ${mends}`;
  return all.map((each) => ({ ...each, hint: `${each.hint}${then}` }));
}

function buildersHindrance(setting: Setting | undefined, machines: string): Hindrance[] {
  if (setting === undefined || !hides(setting.value, machines)) return [];
  return [
    {
      weight: 'no-builds',
      message: `${where(setting)} says builders = ${setting.value}, so Nix does not read ${machines}.`,
      hint: `Take that line away, or add @${machines} to it.`,
    },
  ];
}

/** globals.cc: replaces `builders`. For builds through the daemon it counts in the daemon's environment. */
function remoteSystems({ env, tree, variant }: HindranceOptions, machines: string): Hindrance[] {
  const paths = (value: string) => value.split(':');
  const own = env['NIX_REMOTE_SYSTEMS'];
  const file = daemonFiles
    .map((path) => join(tree === '' ? '/' : tree, path))
    .find((path) => readOrNothing(path)?.includes('NIX_REMOTE_SYSTEMS') === true);
  const hint = (what: string) => `Take it out of ${what}, or name ${machines} in it.`;
  return [
    ...(own === undefined || paths(own).includes(machines)
      ? []
      : [
          {
            weight:
              variant?.mode === 'single-user' ? ('no-builds' as const) : ('some-builds' as const),
            message: `NIX_REMOTE_SYSTEMS=${own} in your environment takes the place of Nix's list of builders.`,
            hint: hint('your environment'),
          },
        ]),
    ...(file === undefined
      ? []
      : [
          {
            weight: 'no-builds' as const,
            message: `${file} sets NIX_REMOTE_SYSTEMS for nix-daemon, which takes the place of Nix's list of builders.`,
            hint: hint('that file'),
          },
        ]),
  ];
}

const daemonFiles = [
  '/Library/LaunchDaemons/org.nixos.nix-daemon.plist',
  '/Library/LaunchDaemons/systems.determinate.nix-daemon.plist',
  '/etc/systemd/system/nix-daemon.service.d/override.conf',
  '/etc/systemd/system/nix-daemon.service',
];

function external(setting: Setting | undefined, { system }: HindranceOptions): Hindrance[] {
  if (setting === undefined) return [];
  const systems = externalSystems(setting.value);
  if (systems === undefined)
    return [
      {
        weight: 'no-builds',
        message: `${where(setting)}: external-builders is not the JSON that Nix expects.`,
        hint: 'Mend it or take it away.',
      },
    ];
  if (!systems.includes(system)) return [];
  return [
    {
      weight: 'some-builds',
      message: `${where(setting)}: external-builders takes ${system} builds when this builder is busy or down, and those that prefer to be local.`,
      hint: 'Take that entry away if such builds fail or stall there.',
    },
  ];
}

function maxJobs(setting: Setting | undefined, options: HindranceOptions): Hindrance[] {
  const { system, ownSystem } = options;
  if (ownSystem !== system || setting?.value === '0') return [];
  return [
    {
      weight: 'some-builds',
      message: `This machine builds ${system} itself${setting === undefined ? '' : `, with max-jobs = ${setting.value} (${where(setting)})`}, so builds that need no feature of ours may stay here.`,
      hint: 'To send all of them: max-jobs = 0, or -j0 on a command line.',
    },
  ];
}

const where = ({ file, line }: Setting): string => `${file}, line ${line}`;

function readOrNothing(path: string): string | undefined {
  try {
    return readIfThere(path);
  } catch (error) {
    if (errorCode(error) === 'EACCES') return undefined;
    throw error;
  }
}
