/** Asks the guest itself whether builds in it can use KVM. */
import type { Layout } from '../config/layout.ts';
import { alias } from '../host/ssh.ts';
import { findStatus } from '../supervisor/found.ts';
import { traitsOf } from '../supervisor/phases.ts';
import { run } from '../system/child.ts';
import { Failed } from '../system/failure.ts';
import { tryProgram } from '../system/program.ts';
import type { CliContext } from './context.ts';

/** Undefined while the guest is not ready, or does not answer. */
export async function guestHasKvm(
  layout: Layout,
  { env, signal, clock }: Pick<CliContext, 'env' | 'signal' | 'clock'>,
): Promise<boolean | undefined> {
  // One that does not say is about to start, or stands still: its guest is not to be asked.
  const found = await findStatus(layout, { clock, signal }).catch((error: unknown) => {
    if (!(error instanceof Failed) || signal.aborted) throw error;
    return undefined;
  });
  const ssh = tryProgram('ssh', env['PATH']);
  if (found?.daemon !== 'alive' || ssh === undefined) return undefined;
  if (traitsOf(found.status.phase).builds !== 'now') return undefined;
  const argv = ['-F', layout.sshConfig, alias, '--', 'test', '-c', '/dev/kvm'];
  const { ended } = await run(ssh, argv, { timeoutMs: 20_000, signal });
  // 255 is ssh's own.
  if (ended.kind !== 'exited' || ended.code > 1) return undefined;
  return ended.code === 0;
}
