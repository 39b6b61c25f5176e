/** A state directory in which nothing has been set up yet. Whatever a newcomer tries first, the advice is the same. */
import { existsSync } from 'node:fs';
import { Exit, type Failure } from '../system/failure.ts';
import type { Layout } from './layout.ts';

/** What a newcomer does. */
export const setUpHint = 'Set it up: linuxkit-builder up';

/** Whether there are settings, which `up` and `configure` write first. */
export const isSetUp = ({ config }: Pick<Layout, 'config'>): boolean => existsSync(config);

/** There is no config.json, or nothing at all. */
export const notSetUp = ({ root }: Pick<Layout, 'root'>): Failure => ({
  kind: 'not-configured',
  message: `No builder has been set up in ${root} yet.`,
  hint: setUpHint,
  exit: Exit.config,
});
