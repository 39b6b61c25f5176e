/** Who may do what with a file of macOS, whatever its mode says: by its access control list (chmod(1), "ACL MANIPULATION OPTIONS"). */
import { thisUser } from '../host/user.ts';
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
  /** The name of whoever asks. */
  readonly me?: string;
}

/** Below a file's line ls(1) shows with -e each entry with its number. What is denied opens nothing. */
const patterns: Readonly<Record<Right, RegExp>> = {
  anything: /^ *\d+: (.* allow .*)$/gm,
  change: /^ *\d+: (.* allow .*(?:write|append|add_|delete|chown).*)$/gm,
};

/** The first such entry of each of these that are there, of somebody else than whoever asks and root; none where there are no such lists. */
export async function openedByLists(
  paths: readonly string[],
  right: Right,
  { platform = process.platform, ls = '/bin/ls', me = thisUser().name }: LookOptions = {},
): Promise<readonly ListEntry[]> {
  if (platform !== 'darwin') return [];
  const ours = [`user:${me}`, 'user:root'];
  const entries: ListEntry[] = [];
  for (const path of paths) {
    const { stdout } = await run(ls, ['-lde', '--', path], { timeoutMs: 5_000 });
    const found = [...stdout.matchAll(patterns[right])].map(([, entry = '']) => entry);
    const entry = found.find((each) => !ours.some((who) => each.startsWith(`${who} `)));
    if (entry !== undefined) entries.push({ path, entry });
  }
  return entries;
}
