/** Whether somebody's configuration of ssh takes in ours, by the word of ssh itself: where a line stands, and how it is written, is theirs. */
import { run, succeeded } from '../../system/process/child.ts';
import { OthersFiles } from '../../system/files/others-files.ts';
import { alias } from './stanza.ts';
import { saysAllOf } from './effective.ts';

interface TakenInOptions {
  /** The file of ours that it is to take in, as it is now. */
  readonly ours: string;
  /** The configuration; undefined for the one that ssh finds by itself. */
  readonly file: string | undefined;
  readonly signal: AbortSignal;
}

/** Undefined where ssh does not say: there is none, ours is not there yet, or it stumbles over a line. */
export async function isTakenIn({
  ours,
  file,
  signal,
}: TakenInOptions): Promise<boolean | undefined> {
  const list = async (argv: readonly string[]) => {
    const ran = await run('ssh', ['-G', ...argv, alias], { timeoutMs: 10_000, signal });
    return succeeded(ran) ? ran.stdout : undefined;
  };
  const text = new OthersFiles().read(ours);
  const alone = text === undefined ? undefined : await list(['-F', ours]);
  const all = alone === undefined ? undefined : await list(file === undefined ? [] : ['-F', file]);
  if (text === undefined || alone === undefined || all === undefined) return undefined;
  return saysAllOf({ text, alone, all });
}
