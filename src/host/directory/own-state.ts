/** Which names in `nix-state` are ours: those of the layout, and what is made beside them. */
import { lstatSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { layoutOf } from '../../config/layout.ts';
import { networkNames, vmNames } from '../../domain/vm-programs.ts';
import { fileOfUnfinished } from '../../system/files/files.ts';

const { state, incidents, startLock, ...others } = layoutOf('/');

/** Files and sockets, in their final places. */
const names: ReadonlySet<string> = new Set([
  ...Object.values(others).flatMap((path) =>
    typeof path === 'string' && dirname(path) === state ? [basename(path)] : [],
  ),
  // What the release of before has remembered there.
  'accelerators.json',
  'networks-unfit.json',
  ...['kernel', 'lock'].map((suffix) => `${basename(startLock)}.${suffix}`),
  ...[...vmNames, ...networkNames, 'trial', 'daemon'].flatMap((program) =>
    [others.pid, others.pidRecord].map((place) => basename(place(program))),
  ),
]);
const folders: readonly string[] = [basename(incidents), `${basename(startLock)}.lock`];

/** As VM programs call what they make there by themselves: vfkit its card's socket, HyperKit its guest's vsock ports. */
const made = /^(vfkit-[0-9a-f]+-[0-9a-f]+\.sock|([0-9a-f]{8}|guest)\.[0-9a-f]{8})$/;

/** Rotated, cut short, or a second name. */
const variant = /\.(\d{1,2}|new|spare)$/;

export function isOwnState(path: string): boolean {
  const name = basename(path);
  if (lstatSync(path).isDirectory()) return folders.includes(name);
  const plain = (fileOfUnfinished(name) ?? name).replace(variant, '');
  return [name, plain].some((each) => names.has(each) || made.test(each));
}
