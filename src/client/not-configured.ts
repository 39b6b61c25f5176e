import type { Layout } from '../config/layout.ts';
import { isSetUp, notSetUp } from '../config/not-set-up.ts';
import { Exit, type Failure } from '../system/failure.ts';
import { advice, ours } from '../system/advice.ts';

/** A file that `configure` writes is missing; `up` writes it too, where nothing has been set up. */
export const notConfigured = (layout: Layout, path: string): Failure =>
  isSetUp(layout)
    ? {
        kind: 'not-configured',
        message: `${path} does not exist.`,
        hint: advice`Create it: ${ours('configure')}`,
        exit: Exit.config,
      }
    : notSetUp(layout);
