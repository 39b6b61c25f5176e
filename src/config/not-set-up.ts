/** A state directory in which nothing has been set up yet. Whatever a newcomer tries first, the advice is the same. */
import { existsSync } from 'node:fs';
import { Exit, type Failure } from '../system/failure.ts';
import type { Layout } from './layout.ts';
import { advice, ours } from '../system/advice.ts';

/** What a newcomer does. */
export const setUpHint = advice`Set it up: ${ours('up')}`;

/** Whether there are settings, which `up` and `configure` write first. */
export const isSetUp = ({ config }: Pick<Layout, 'config'>): boolean => existsSync(config);

/** There is no config.json, or nothing at all. */
export const notSetUp = ({ root }: Pick<Layout, 'root'>): Failure => ({
  kind: 'not-configured',
  message: `No builder has been set up in ${root} yet.`,
  hint: setUpHint,
  needsSetUp: true,
  exit: Exit.config,
});
