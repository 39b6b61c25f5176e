/** The builder of this machine for those whose it is not: they need none of their own, and cannot set one up. */
import { setUpHint } from '../config/not-set-up.ts';
import type { Text } from '../system/advice.ts';
import { errorCode, Failed } from '../system/failure.ts';
import { readInstalled, type Owner } from './installed.ts';
import { systemPathsOf } from './system-paths.ts';

/** Whose it is; undefined where there is none, or where it is that of whoever asks. */
export function otherOwner(env: NodeJS.ProcessEnv): Owner | undefined {
  try {
    const { roots } = systemPathsOf(env['LINUXKIT_BUILDER_TREE']);
    const owner = readInstalled(roots.installed)?.owner;
    return owner?.uid === process.getuid?.() ? undefined : owner;
  } catch (error) {
    // `configure` says what is wrong with that record.
    if (!(error instanceof Failed) && errorCode(error) === undefined) throw error;
    return undefined;
  }
}

/** What to do where nothing is set up: nothing, for whoever has another's builder already. */
export function setUpAdvice(env: NodeJS.ProcessEnv): Text {
  const owner = otherOwner(env);
  return owner === undefined
    ? setUpHint
    : `You can already use this machine's builder, which belongs to ${owner.name}: nix-daemon sends every user's builds to it.`;
}
