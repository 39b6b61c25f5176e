/** Where what root was told of the builder is not what is set now: the daemon goes by the settings, nix-daemon by root's files. */
import type { FileChange } from './file-change.ts';
import { parseMachines, type Machine } from './machines.ts';
import { rootLayout } from './places.ts';
import type { Receipt } from './receipts.ts';
import { rootNeeds } from './root-files.ts';
import type { RootRequest } from './root-part.ts';
import { alias } from './ssh.ts';

/** One thing of which root was told something else; without values where those are keys. */
export interface Difference {
  readonly name: 'port' | 'holdSeconds' | 'key' | 'system' | 'maxJobs' | 'features';
  readonly told?: number | string;
  readonly set?: number | string;
}

export interface Untold {
  readonly differs: readonly Difference[];
  /** Root's files that would be written. */
  readonly files: readonly string[];
}

/** Undefined where root's files say the same, as far as we may read them; of the rest the receipts tell. */
export function untoldOf(request: RootRequest, receipts: readonly Receipt[]): Untold | undefined {
  const { changes, hidden } = rootNeeds(request, receipts);
  const files = [...changes.map(({ wanted }) => wanted), ...hidden].map(({ path }) => path);
  if (files.length === 0) return undefined;
  const paths = rootLayout(request);
  const known = changes.flatMap(({ before, wanted }) => (before === undefined ? [] : [wanted]));
  const hasOtherKey = [...known, ...hidden].some(
    ({ path }) => path === paths.clientKey || path === paths.knownHosts,
  );
  const differs = changes.flatMap((change) => {
    if (change.wanted.path === paths.sshConfig) return sshDifferences(change, request);
    return change.wanted.path === paths.machines ? lineDifferences(change) : [];
  });
  return { files, differs: hasOtherKey ? [...differs, { name: 'key' }] : differs };
}

/** In a sentence: `port (24083, and 25000 is set), key`; else the files. */
export function untoldWords({ differs, files }: Untold): string {
  const word = ({ name, told, set }: Difference) =>
    told === undefined ? name : `${name} (${told}, and ${set ?? 'none'} is set)`;
  return differs.length === 0
    ? `Root's files are not as they have to be: ${files.join(', ')}.`
    : `Root was told of another ${differs.map(word).join(', ')}.`;
}

function sshDifferences({ before }: FileChange, request: RootRequest): Difference[] {
  const text = before?.bytes.toString('utf8') ?? '';
  const number = (name: string) => Number(new RegExp(`^\\s*${name} (\\d+)$`, 'm').exec(text)?.[1]);
  return [
    ...differing('port', number('Port'), request.port),
    // The stanza is more patient than the door by 10 s.
    ...differing('holdSeconds', number('ConnectTimeout') - 10, request.holdSeconds),
  ];
}

function lineDifferences({ before, after }: FileChange): Difference[] {
  const [told, set] = [before?.bytes, after].map(ourLine);
  if (told === undefined || set === undefined) return [];
  return [
    ...differing('system', told.systems.join(','), set.systems.join(',')),
    ...differing('maxJobs', told.maxJobs, set.maxJobs),
    ...differing('features', told.features.join(','), set.features.join(',')),
  ];
}

const ourLine = (file: Buffer | undefined): Machine | undefined =>
  parseMachines(file?.toString('latin1') ?? '', 'new').machines.find(({ store }) =>
    store.endsWith(alias),
  );

const differing = <T extends number | string>(
  name: Difference['name'],
  told: T,
  set: T,
): Difference[] => (told === set || Number.isNaN(told) ? [] : [{ name, told, set }]);
