/** config.json as a daemon takes it. */
import { parseConfig, type Config } from './config.ts';
import { setUpHint } from './not-set-up.ts';
import type { Layout } from './layout.ts';
import type { Problem } from '../domain/problem.ts';
import { errorCode, Failed, failureOf } from '../system/failure.ts';
import { whatHelps } from '../system/files/barrier.ts';
import { tryRead } from '../system/files/files.ts';
import { reasons } from '../system/files/reasons.ts';
import { hostFacts } from '../system/host/host.ts';

/** What was read from config.json: a Config, or nothing yet and the reasons. */
export interface SettingsRead {
  readonly config: Config | undefined;
  readonly problems: readonly Problem[];
  /** There is no config.json. */
  readonly isMissing?: true;
}

/** config.json as it is now. */
export function readSettings(layout: Layout): SettingsRead {
  try {
    const found = tryRead(layout.config);
    if (found === undefined)
      return { config: undefined, problems: [missing(layout)], isMissing: true };
    if (found.kind === 'unreadable')
      return { config: undefined, problems: [noSettings(layout, found.why)] };
    const parsed = parseConfig(found.text, hostFacts(layout.root));
    return parsed.ok
      ? { config: parsed.config, problems: [] }
      : { config: undefined, problems: parsed.problems };
  } catch (error) {
    const isUnread = error instanceof Failed && error.failure.kind === 'cannot-read';
    return {
      config: undefined,
      problems: [unreadable(layout, isUnread ? (error.cause ?? error) : error)],
    };
  }
}

/** As a problem of the file as a whole: there is no value to show. */
export function unreadable({ config: path }: Pick<Layout, 'config'>, error: unknown): Problem {
  const code = errorCode(error);
  const { message, hint } = failureOf(error);
  const why =
    code === undefined
      ? { message, hint }
      : {
          message: `cannot be read: ${reasons[code] ?? code}`,
          hint: code === 'EACCES' || code === 'EPERM' ? theirs : whatHelps(code, path),
        };
  return { path, value: undefined, ...why };
}

/** It is something else than a file of settings, as these words say. */
const noSettings = ({ config: path }: Pick<Layout, 'config'>, why: string): Problem => ({
  path,
  value: undefined,
  message: `cannot be read: ${why}`,
  hint: 'Check what it is, and move it away.',
});

const theirs = 'Check its owner and mode: it must belong to the user who runs the daemon.';

const missing = (layout: Layout) => ({
  path: layout.config,
  value: undefined,
  message: 'does not exist',
  hint: setUpHint,
});
