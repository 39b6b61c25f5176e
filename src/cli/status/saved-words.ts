/** A guest that is suspended, or was. */
import type { Status } from '../../supervisor/status/status-schema.ts';

/** Since when it is suspended (`ago` puts a time in words), and what that takes; or why it has booted; undefined where it was not. */
export function describeSaved(
  { away, notResumed }: Pick<Status, 'away' | 'notResumed'>,
  ago: (at: string) => string,
): string | undefined {
  if (away?.saved === undefined) return notResumed;
  const { at, bytes } = away.saved;
  return `${ago(at)} ago; its memory takes up ${Math.round(bytes / 1024 ** 2)} MiB on disk`;
}
