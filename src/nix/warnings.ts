/** What is not ours to change, and would still keep Nix from the builder. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../system/failure.ts';
import { OthersFiles } from '../system/files/others-files.ts';
import { shellWord } from '../system/shell.ts';
import { nixConflicts, type NixConflictOptions } from './conflicts.ts';
import { nixesHere, type NixOptions } from './one-nix.ts';
import { describeListFault, listFaults } from './settings/list-faults.ts';

/** One sentence or two for each, with what to do. */
export function warningsOf(options: NixConflictOptions): string[] {
  const { systemPaths } = options;
  return [
    ...(existsSync(systemPaths.etcNix)
      ? []
      : [
          `${systemPaths.etcNix} does not exist, so Nix is probably not installed on this machine. Install it: https://nixos.org/download`,
        ]),
    ...listFaultsOf(options).map(({ words }) => words),
    ...nixConflicts(options)
      .filter(({ isOrdinary }) => isOrdinary !== true)
      .map(({ message, hint, quotes }) =>
        [message, ...(quotes === undefined ? [] : [`Nix says: ${quotes}.`]), hint].join(' '),
      ),
    ...modeWarnings(join(systemPaths.home, '.ssh/config')),
  ];
}

/** What makes this Nix refuse the whole list, ours with it, and the file to mend. */
export function listFaultsOf(
  options: NixOptions,
  others = new OthersFiles(),
): { readonly file: string; readonly words: string }[] {
  const builders = nixesHere(options, others).daemons.find('builders');
  const faults = listFaults({ machines: options.systemPaths.roots.machines, builders, others });
  return faults.flatMap((fault) => {
    const words = describeListFault(fault, options.variant);
    return words === undefined ? [] : [{ file: fault.file, words }];
  });
}

const modeWarnings = (path: string): string[] => (isOpenToOthers(path) ? [openToOthers(path)] : []);

/** ssh reads no configuration of its user's that another may write; named with -F it does (ssh.c, process_config_files). */
export const isOpenToOthers = (path: string): boolean => (modeAt(path) & 0o022) !== 0;

/** ssh takes no configuration that others could have written. */
export const openToOthers = (path: string): string =>
  `${path} is writable by other users, so ssh refuses to use it. Run: ${closeToOthers(path)}`;

/** The command with which a person closes it. */
export const closeToOthers = (path: string): string => `chmod go-w ${shellWord(path)}`;

/** 0 where there is nothing that can be looked at. */
function modeAt(path: string): number {
  try {
    return statSync(path).mode;
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return 0;
  }
}
