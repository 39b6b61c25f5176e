/** The user's files changed, each after a receipt of how it was before, so that no change is without one. */
import type { Layout } from '../config/layout.ts';
import { applyChange, type WantedFile } from '../host/file-change.ts';
import { logReceipt, receiptOf, receiptsOf, recordReceipts } from '../host/receipts.ts';
import type { Survey } from './survey.ts';

interface JournalOptions {
  readonly layout: Layout;
  readonly now: number;
  /** Nothing more is changed after it. */
  readonly stop: AbortSignal;
  /** Files that a job of ours will write. */
  readonly logs?: readonly string[];
}

/**
 * Makes the changes. What is right is recorded too: somebody may have deleted the state directory, and our receipts with it. What lies
 * in the state directory goes with it, and needs none.
 */
export function applyJournalled(
  { changes, right }: Pick<Survey, 'changes' | 'right'>,
  { layout, now, stop, logs = [] }: JournalOptions,
): void {
  const isOutside = ({ path }: WantedFile) => !path.startsWith(`${layout.root}/`);
  recordReceipts(layout.receipts, [
    ...right
      .filter(({ wanted }) => isOutside(wanted))
      .map(({ wanted, standing }) => receiptOf(wanted, { standing }, now)),
    ...logs.map((path) => logReceipt(path, now)),
  ]);
  for (const change of changes) {
    stop.throwIfAborted();
    if (isOutside(change.wanted)) recordReceipts(layout.receipts, receiptsOf(change, now));
    applyChange(change);
  }
}
