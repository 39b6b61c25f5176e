/** `configure --dry-run`: every change as a diff, and none made. */
import type { Config } from '../../config/config.ts';
import type { Layout } from '../../config/layout.ts';
import { changeDiff } from '../../host/change-diff.ts';
import { rootRequest, userNeeds, type Builder } from '../builder-files.ts';
import { directoryChanges } from '../directories.ts';
import type { Owner } from '../../host/installed.ts';
import type { SystemPaths } from '../../host/system-paths.ts';
import { rootNeeds } from '../root/root-files.ts';
import type { RootRequest } from '../root/root-plan.ts';

export interface DryRun {
  readonly layout: Layout;
  readonly places: SystemPaths;
  readonly owner: Owner;
  readonly service: Builder['service'];
  readonly keeper: Builder['keeper'];
  readonly userSsh: Pick<Builder, 'takenIn' | 'takenBack'>;
  readonly rootSsh: Pick<RootRequest, 'takenIn' | 'takenBack'>;
  readonly proxy: Builder['proxy'];
  readonly settings: { readonly config: Config; readonly text: string };
  /** Undefined while there are none. */
  readonly keys: Pick<Builder, 'hostPublicKey'> | undefined;
  /** Lines of the system's own job. */
  readonly job: readonly string[];
  readonly say: (line: string) => void;
}

/** Says what a run would change; says nothing when that is nothing. */
export function showChanges({
  layout,
  places,
  owner,
  service,
  keeper,
  userSsh,
  rootSsh,
  proxy,
  settings,
  keys,
  job,
  say,
}: DryRun): void {
  const { config, text } = settings;
  for (const { path, kind } of directoryChanges(layout))
    say(kind === 'make' ? `# would make the directory ${path}` : `# would make private: ${path}`);
  if (keys === undefined)
    say(`# would make keys in ${layout.keys}; until then the guest's key is not known`);
  const rest = { owner, service, keeper, config, settingsText: text, proxy, ...userSsh };
  const builder = { layout, places, ...rest, ...(keys ?? unknownKeys) };
  const user = userNeeds(builder);
  const root = rootNeeds({ ...rootRequest(builder), ...rootSsh });
  for (const change of [...user.changes, ...root.changes])
    for (const line of changeDiff(change)) say(line);
  job.forEach(say);
  for (const { path, purpose } of root.unseen)
    say(`# ${path}: ${purpose} (only root can see what is there, or make it)`);
  for (const { path, why, text: advice } of [...user.byHand, ...root.byHand]) {
    say(`# ${path} ${why}, so it would be left alone.`);
    for (const line of advice.split('\n')) say(`# ${line}`);
  }
}

const unknownKeys = { hostPublicKey: 'ssh-ed25519 (made-by-configure)' };
