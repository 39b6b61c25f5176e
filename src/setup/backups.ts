/** Keeps the guest's disk out of Time Machine: large, always changing, and made again by building. */
import type { Layout } from '../config/layout.ts';
import { readReceipts, recordReceipts } from '../host/receipts.ts';
import { run, succeeded } from '../system/process/child.ts';
import { tryProgram } from '../system/process/find-program.ts';
import type { CliContext } from '../command/context.ts';
import { quotedWord } from '../system/shell.ts';

type World = Pick<CliContext, 'env' | 'signal' | 'clock' | 'err'>;

/** Tells Time Machine once, where there is one; somebody who lets it in again is not contradicted. */
export async function keepOutOfBackups(
  layout: Layout,
  { env, signal, clock, err }: World,
  say: (line: string) => void,
): Promise<void> {
  const tmutil = tryProgram('tmutil', env['PATH']);
  if (tmutil === undefined || isTold(layout)) return;
  const ran = await run(tmutil, ['addexclusion', layout.root], { timeoutMs: 30_000, signal });
  if (!succeeded(ran))
    return err(
      `Warning: cannot exclude ${layout.root} from Time Machine backups: ${ran.stderr.trim()}`,
    );
  const at = new Date(clock.now()).toISOString();
  const receipt = { path: layout.root, put: 'backup-exclusion', before: null, digest: '' } as const;
  recordReceipts(layout.receipts, [{ ...receipt, replaced: [], at }]);
  say(`Excluded ${layout.root} from Time Machine backups`);
}

/** Takes that back; what was done, in words. */
export async function letIntoBackups(
  layout: Layout,
  { env, signal }: Pick<World, 'env' | 'signal'>,
): Promise<string[]> {
  const tmutil = tryProgram('tmutil', env['PATH']);
  if (!isTold(layout)) return [];
  const argv = ['removeexclusion', layout.root];
  const ran =
    tmutil === undefined ? undefined : await run(tmutil, argv, { timeoutMs: 30_000, signal });
  return ran !== undefined && succeeded(ran)
    ? [`Included ${layout.root} in Time Machine backups again`]
    : [
        `Time Machine still excludes ${layout.root}. To include it: tmutil removeexclusion ${quotedWord(layout.root)}`,
      ];
}

const isTold = ({ receipts }: Layout): boolean =>
  readReceipts(receipts).some(({ put }) => put === 'backup-exclusion');
