/** Where what root was told of the builder is not what is set now: the daemon goes by the settings, nix-daemon by root's files. */
import { OthersFiles } from '../../system/files/others-files.ts';
import type { FileChange } from '../../host/file-change.ts';
import { machinesLine, ourEntryIn, type MachinesEntry } from '../../nix/machines.ts';
import { isOld, readInstalled } from '../../host/installed.ts';
import { needed, type RootNeeds } from './root-files.ts';
import type { RootRequest } from './root-plan.ts';
import { leadSameWay, marginSeconds, proxyOf } from '../../nix/ssh/stanza.ts';

/** One thing of which root was told something else; without values where those are keys. */
export interface Difference {
  readonly name:
    | 'door'
    | 'port'
    | 'holdSeconds'
    | 'key'
    | 'system'
    | 'maxJobs'
    | 'features'
    | 'mandatoryFeatures'
    | 'speedFactor'
    | 'protocol';
  readonly told?: number | string;
  readonly set?: number | string;
}

export interface RootDrift {
  readonly differs: readonly Difference[];
  /** Root's files that would be written. */
  readonly files: readonly string[];
}

/** Undefined where root's files say the same, as far as we may read them. */
export function rootDriftOf(needs: RootNeeds): RootDrift | undefined {
  const { request, changes } = needs;
  const { paths } = request;
  const reworded = changes.some((change) => isReworded(change, request)) ? paths.sshConfig : '';
  const files = needed(needs).flatMap(({ path }) => (path === reworded ? [] : [path]));
  if (files.length === 0) return undefined;
  if (isAsBefore(needs)) return undefined;
  const known = changes.flatMap(({ before, wanted }) => (before === undefined ? [] : [wanted]));
  const hasOtherKey = known.some(({ path }) => path === paths.knownHosts);
  const differs = changes.flatMap((change) => {
    if (change.wanted.path === paths.sshConfig) return sshDifferences(change, request);
    return change.wanted.path === paths.list ? lineDifferences(change) : [];
  });
  return { files, differs: hasOtherKey ? [...differs, { name: 'key' }] : differs };
}

/** True where the release before has told root the same, in its own way: builds go on as they are. */
export function isAsBefore({ request, changes }: RootNeeds): boolean {
  const { paths } = request;
  if (!isOld(readInstalled(paths.installed))) return false;
  const changed = (path: string) => changes.find(({ wanted }) => wanted.path === path);
  const ssh = changed(paths.sshConfig);
  const isSame =
    ssh === undefined || (ssh.before !== undefined && sshDifferences(ssh, request).length === 0);
  const lines = (new OthersFiles().read(paths.machines, 'latin1') ?? '').split(/\r?\n/);
  return isSame && changed(paths.knownHosts) === undefined && lines.includes(machinesLine(request));
}

/** In a sentence: `port (24083 there, 25000 configured), key`; else the files. */
export function describeDrift({ differs, files }: RootDrift): string {
  const word = ({ name, told, set }: Difference) =>
    told === undefined ? name : `${name} (${told} there, ${set ?? 'none'} configured)`;
  const which = differs.length === 0 ? files : differs.map(word);
  return `Root's files are out of date: ${which.join(', ')}.`;
}

/** Another release's words for the same: they lead to the same guest, with the same timeouts. */
const isReworded = (change: FileChange, request: RootRequest): boolean =>
  change.wanted.path === request.paths.sshConfig &&
  change.before !== undefined &&
  !change.before.bytes.equals(change.after) &&
  leadSameWay(change.before.bytes.toString('utf8'), change.after.toString('utf8')) &&
  sshDifferences(change, request).length === 0;

function sshDifferences({ before }: FileChange, request: RootRequest): Difference[] {
  const text = before?.bytes.toString('utf8') ?? '';
  const number = (name: string) => Number(new RegExp(`^\\s*${name} (\\d+)$`, 'm').exec(text)?.[1]);
  const door = proxyOf(text) === undefined ? 'tcp' : 'unix';
  return [
    ...(before === undefined ? [] : differing('door', door, request.door)),
    ...(request.door === 'unix' ? [] : differing('port', number('Port'), request.port)),
    ...differing('holdSeconds', number('ConnectTimeout') - marginSeconds, request.holdSeconds),
  ];
}

function lineDifferences({ before, after }: FileChange): Difference[] {
  const [told, set] = [before?.bytes, after].map(ourLine);
  if (told === undefined || set === undefined) return [];
  return [
    ...differing('system', told.systems.join(','), set.systems.join(',')),
    ...differing('maxJobs', told.maxJobs, set.maxJobs),
    ...differing('features', told.features.join(','), set.features.join(',')),
    ...differing('mandatoryFeatures', told.mandatory.join(','), set.mandatory.join(',')),
    ...differing('speedFactor', told.speedFactor, set.speedFactor),
    ...differing('protocol', protocolOf(told), protocolOf(set)),
  ];
}

const protocolOf = ({ store }: MachinesEntry): string => store.split('://')[0] ?? '';

const ourLine = (file: Buffer | undefined): MachinesEntry | undefined =>
  ourEntryIn(file?.toString('latin1') ?? '');

const differing = <T extends number | string>(
  name: Difference['name'],
  told: T,
  set: T,
): Difference[] => (told === set || Number.isNaN(told) ? [] : [{ name, told, set }]);
