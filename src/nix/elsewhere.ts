/** What has Nix read other settings than this machine's, build in another store, or ask no builder at all. */
import type { OneNix } from './one-nix.ts';

/** One thing in the way. */
export interface NixConflict {
  /** `no-builds`: Nix never comes to us. `some-builds`: some go elsewhere. */
  readonly weight: 'no-builds' | 'some-builds';
  /** No fault of anybody's settings: this machine builds for itself too. */
  readonly isOrdinary?: boolean;
  readonly message: string;
  readonly hint: string;
  /** Words of Nix's that repeat a piece of a person's file: shown to that person alone. */
  readonly quotes?: string;
}

/** After `sets`, in a sentence. */
export const assigned = (name: string, value: string): string =>
  value === '' ? `${name} to nothing` : `${name} = ${value}`;

/** All of it, with file and line, or the variable. */
export const elsewhere = (nix: OneNix): readonly NixConflict[] => [
  ...otherStore(nix),
  ...otherFolder(nix),
  ...noHook(nix),
];

/** Stores in which somebody else builds, or nobody (nix3-help-stores(1)). */
const isRemote = (store: string): boolean =>
  /^(ssh|ssh-ng|https?|s3|file|dummy):\/\//.test(store.trim());

const takeOut = (whose: OneNix['whose']): string =>
  whose === 'yours' ? 'Unset it' : 'Remove it from that file';

function otherStore({ whose, find, variable, isSingle, isRoot }: OneNix): NixConflict[] {
  const remote = variable('NIX_REMOTE');
  const store = find('store');
  const isOwnStore = remote?.value === 'local' && !isSingle && !isRoot;
  const weight = whose === 'all' || isSingle ? 'no-builds' : 'some-builds';
  const passes = 'so builds bypass nix-daemon, which knows the builder';
  return [
    ...(remote !== undefined && (isRemote(remote.value) || isOwnStore)
      ? [
          {
            weight,
            message: `NIX_REMOTE=${remote.value} in ${remote.file} names another store, ${passes}.`,
            hint: `${takeOut(whose)}, or set NIX_REMOTE=daemon.`,
          } as const,
        ]
      : []),
    ...(store !== undefined && isRemote(store.value)
      ? [
          {
            weight,
            message: `${store.file}, line ${store.line} sets store = ${store.value}, ${passes}.`,
            hint: 'Remove that line.',
          } as const,
        ]
      : []),
  ];
}

function otherFolder({ whose, variable, etcNix, isSingle }: OneNix): NixConflict[] {
  const found = variable('NIX_CONF_DIR');
  if (found === undefined || found.value.replace(/\/+$/, '') === etcNix) return [];
  return [
    {
      weight: whose === 'all' || isSingle ? 'no-builds' : 'some-builds',
      message: `NIX_CONF_DIR=${found.value} in ${found.file} makes Nix read its settings and its list of builders there instead of in ${etcNix}.`,
      hint: `${takeOut(whose)}.`,
    },
  ];
}

/** Whoever builds asks a program for builders: Nix's own, by its default (worker.cc; `build-hook` of nix.conf(5)). */
function noHook({ whose, find, isSingle }: OneNix): NixConflict[] {
  const hook = find('build-hook');
  if (hook === undefined || hook.value.includes('build-remote')) return [];
  if (whose === 'yours' && !isSingle) return [];
  return [
    {
      weight: 'no-builds',
      message: `${hook.file}, line ${hook.line} sets ${assigned('build-hook', hook.value)}, so Nix never asks a builder.`,
      hint: 'Remove that line.',
    },
  ];
}
