/** The user's own configuration of ssh, and root's, asked of ssh. */
import { join } from 'node:path';
import type { Layout } from '../config/layout.ts';
import { rootLayout, type Places } from '../host/places.ts';
import { isTakenIn } from '../host/ssh-taken-in.ts';
import type { CliContext } from './context.ts';

/** Whether it takes in ours; undefined where that is root's, too. In a tree the file that ssh would find by itself is named. */
export const userTakesIn = ({
  layout,
  places,
  tree,
  context,
}: {
  readonly layout: Layout;
  readonly places: Places;
  readonly tree: string;
  readonly context: Pick<CliContext, 'signal'>;
}): Promise<boolean | undefined> =>
  // Root's takes in root's file, and not the daemon's.
  places.home === places.rootHome
    ? Promise.resolve(undefined)
    : isTakenIn({
        ours: layout.sshConfig,
        file: tree === '' ? undefined : join(places.home, '.ssh/config'),
        signal: context.signal,
      });

/** The same of root's, as far as we may read it. */
export const rootTakesIn = ({
  places,
  context,
}: {
  readonly places: Places;
  readonly context: Pick<CliContext, 'signal'>;
}): Promise<boolean | undefined> => {
  const { sshConfig, ssh } = rootLayout(places);
  return isTakenIn({ ours: sshConfig, file: ssh, signal: context.signal });
};
