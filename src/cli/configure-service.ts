/** What configure does about the keeper of the daemon, beyond writing its files. */
import type { Layout } from '../config/layout.ts';
import { readReceipts, writeReceipts } from '../host/receipts.ts';
import { applyUndo, undoingsOf, undoWords } from '../host/undo.ts';
import type { CliContext } from './context.ts';
import { serviceFor, servicePaths } from './service.ts';
import { buildsOption, waitForBuilds } from './wait-for-builds.ts';

/** Takes back what an earlier configure told the keeper, where that is not wanted any more. */
export async function dropService(
  layout: Layout,
  context: CliContext,
  { wanted, say }: { wanted: readonly string[]; say: (line: string) => void },
): Promise<void> {
  const paths = servicePaths(context).filter((path) => !wanted.includes(path));
  const receipts = readReceipts(layout.receipts);
  const isDropped = (path: string) =>
    paths.some((file) => file === path || file.startsWith(`${path}/`));
  const dropped = receipts.filter(({ path }) => isDropped(path));
  if (!dropped.some(({ path }) => paths.includes(path))) return;
  // Its keeper ends the daemon with it.
  await waitForBuilds(layout, { timeout: buildsOption[2] }, context);
  await serviceFor(layout, context)?.remove();
  for (const undoing of undoingsOf(dropped)) {
    applyUndo(undoing);
    for (const line of undoWords(undoing, 'done')) say(line);
  }
  writeReceipts(
    layout.receipts,
    receipts.filter((receipt) => !dropped.includes(receipt)),
  );
}
