/** Who may do what with a file of macOS, whatever its mode says: by its access control list (chmod(1), "ACL MANIPULATION OPTIONS"). */
import { run } from '../process/child.ts';

/** An entry by which others may do something. */
export interface ListEntry {
  readonly path: string;
  /** As ls(1) shows it: `user:ann allow add_file,delete_child`. */
  readonly entry: string;
}

/** What an entry has to allow in order to count. */
type Right = 'anything' | 'change';

interface LookOptions {
  readonly platform?: NodeJS.Platform;
  /** Which ls; another one in a test. */
  readonly ls?: string;
}

/** Below a file's line ls(1) shows with -e each entry with its number. What is denied opens nothing. */
const patterns: Readonly<Record<Right, RegExp>> = {
  anything: /^ *\d+: (.* allow .*)$/m,
  change: /^ *\d+: (.* allow .*(?:write|append|add_|delete|chown).*)$/m,
};

/** The first such entry of each of these that are there; none where there are no such lists. */
export async function openedByLists(
  paths: readonly string[],
  right: Right,
  { platform = process.platform, ls = '/bin/ls' }: LookOptions = {},
): Promise<readonly ListEntry[]> {
  if (platform !== 'darwin') return [];
  const entries: ListEntry[] = [];
  for (const path of paths) {
    const { stdout } = await run(ls, ['-lde', '--', path], { timeoutMs: 5_000 });
    const entry = patterns[right].exec(stdout)?.[1];
    if (entry !== undefined) entries.push({ path, entry });
  }
  return entries;
}
