/** How root's files stand to what they should be, found out without being root; and the script that makes them so. */
import { existsSync } from 'node:fs';
import { OthersFiles } from '../../system/files/others-files.ts';
import { readInstalled } from '../../host/installed.ts';
import { survey, type Survey } from '../survey.ts';
import { rootFiles, type RootRequest } from './root-plan.ts';
import { installScript } from './root-script.ts';
import { linkStatsIfThere } from '../../system/stats.ts';

/** A file, and what it is for. */
interface Named {
  readonly path: string;
  readonly purpose: string;
}

/** How root's files stand, as far as we can see. */
export interface RootNeeds extends Survey {
  readonly request: RootRequest;
  /** What root has to look at, or to make, itself. */
  readonly unseen: readonly Named[];
}

/** What is to be done. */
export function rootNeeds(request: RootRequest): RootNeeds {
  const found = survey(rootFiles(request));
  const made = [...rootKey(request), ...doorDirectory(request)];
  // What comes after it is right, so it was made.
  const isDone = found.changes.length === 0 && made.length === 0;
  return { ...found, request, unseen: isDone ? [] : [...made, ...found.hidden] };
}

const rootKey = ({ paths: { clientPublicKey: path } }: RootRequest): Named[] =>
  existsSync(path) ? [] : [{ path, purpose: "the public half of root's own key for the guest" }];

/** Where it is not as the door has it. */
function doorDirectory({ paths: { door: path }, door, owner }: RootRequest): Named[] {
  const stats = linkStatsIfThere(path);
  const isTheirs = stats?.uid === owner.uid && (stats.mode & 0o777) === 0o700;
  if (door === 'tcp')
    return stats === undefined
      ? []
      : [{ path, purpose: 'no longer needed: the front door is a port' }];
  return isTheirs
    ? []
    : [{ path, purpose: "the front door's directory, which only you and root can enter" }];
}

/** All that would be written, or looked at. */
export const needed = ({ changes, unseen }: RootNeeds): readonly Named[] => [
  ...unseen,
  ...changes.map(({ wanted }) => wanted),
];

/** The script that does it. `renewsKey`: root's own key is made anew. */
export function rootScript(
  { request, byHand, declared }: RootNeeds,
  { renewsKey = false }: { readonly renewsKey?: boolean } = {},
): string {
  const { installed, machines } = request.paths;
  const isLeft = [...byHand, ...declared].some(({ path }) => path === machines);
  // As far as we may see it; what we may not is taken as it is.
  const list = isLeft ? undefined : (new OthersFiles().read(machines, 'latin1') ?? '');
  return installScript(request, { known: readInstalled(installed), list, renewsKey });
}
