/** Asks the guest itself what builds in it can do. */
import type { Layout } from '../config/layout.ts';
import { i686Script, ranI686 } from '../guest/login/i686.ts';
import { alias } from '../nix/ssh/stanza.ts';
import { findStatus } from '../client/found.ts';
import { traitsOf } from '../supervisor/lifecycle/phases.ts';
import { run, type CommandResult } from '../system/process/child.ts';
import { Failed } from '../system/failure.ts';
import { tryProgram } from '../system/process/find-program.ts';
import type { CliContext } from '../command/context.ts';

type Context = Pick<CliContext, 'env' | 'signal' | 'clock'>;

/** Whether builds can use KVM. Undefined while the guest is not ready, or does not answer. */
export async function guestHasKvm(layout: Layout, context: Context): Promise<boolean | undefined> {
  const ran = await askGuest(layout, context, ['test', '-c', '/dev/kvm']);
  // 255 is ssh's own.
  if (ran?.ended.kind !== 'exited' || ran.ended.code > 1) return undefined;
  return ran.ended.code === 0;
}

/** Whether it runs programs of i686-linux: one is run. Undefined while it is not ready, or could not try. */
export async function guestRunsI686(
  layout: Layout,
  context: Context,
): Promise<boolean | undefined> {
  const ran = await askGuest(layout, context, ['sh'], i686Script);
  return ran?.ended.kind === 'exited' && ran.ended.code === 0 ? ranI686(ran.stdout) : undefined;
}

async function askGuest(
  layout: Layout,
  { env, signal, clock }: Context,
  command: readonly string[],
  input?: string,
): Promise<CommandResult | undefined> {
  // One that does not say is about to start, or stands still: its guest is not to be asked.
  const found = await findStatus(layout, { clock, signal }).catch((error: unknown) => {
    if (!(error instanceof Failed) || signal.aborted) throw error;
    return undefined;
  });
  const ssh = tryProgram('ssh', env['PATH']);
  if (found?.daemon !== 'alive' || ssh === undefined) return undefined;
  if (traitsOf(found.status.phase).builds !== 'now') return undefined;
  const argv = ['-F', layout.sshConfig, alias, '--', ...command];
  const given = input === undefined ? {} : { input };
  return run(ssh, argv, { timeoutMs: 20_000, signal, ...given });
}
