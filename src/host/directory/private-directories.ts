/** Whether the directories of a state directory are private by their access control lists too, which macOS has beside modes. */
import type { Layout } from '../../config/layout.ts';
import { openedByLists, type ListEntry } from '../../system/files/access-lists.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { quotedWord } from '../../system/shell.ts';
import { closeDirectories } from './state-directory.ts';

/** Closes them to others before a daemon begins, and before each start of its guest. Failed `directory-not-trusted` where that is not enough. */
export async function keepPrivate(layout: Layout): Promise<void> {
  closeDirectories(layout);
  await refuseListed(layout);
}

/** What is made in such a directory may be given the same list, keys included. Only its owner decides whether that was meant. */
export async function refuseListed(layout: Layout): Promise<void> {
  const { root, state, keys, images, downloads } = layout;
  const listed = await openedByLists([root, state, keys, images, downloads], 'anything');
  const [first] = listed;
  if (first !== undefined)
    throw new Failed(
      openByList(
        first,
        listed.map(({ path }) => path),
      ),
    );
}

/** `all`: those that have such a list. */
export const openByList = ({ path, entry }: ListEntry, all: readonly string[]): Failure => ({
  kind: 'directory-not-trusted',
  message: `${path} is open to other users, by an entry of its access control list: ${entry}.`,
  hint: `To remove ${all.length === 1 ? 'that list' : 'such lists'}, run: chmod -N ${all.map(quotedWord).join(' ')}`,
  exit: Exit.noPermission,
  recovery: 'wait',
  blocksDaemon: true,
});
