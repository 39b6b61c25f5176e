/** Shutting a guest down by a login as root: what is left where its agent is silent and it has no power button. */
import type { Layout } from '../../config/layout.ts';
import type { Tunnel } from '../../domain/tunnel.ts';
import { run, succeeded } from '../../system/process/child.ts';
import { tryProgram } from '../../system/process/find-program.ts';
import { sshArgv, sshEnvironment } from './ssh-argv.ts';
import { forwardFolders, openForward } from './one-shot-forward.ts';

interface PowerOffOptions {
  readonly tunnel: Tunnel;
  readonly layout: Pick<Layout, 'knownHosts' | 'rootKey' | 'state'>;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

/** True when the guest took the order; never rejects. */
export async function powerOffByLogin(options: PowerOffOptions): Promise<boolean> {
  const { tunnel, layout, signal, timeoutMs } = options;
  const ssh = tryProgram('ssh');
  if (ssh === undefined || signal.aborted) return false;
  const scope = new AbortController();
  try {
    const whileNeeded = AbortSignal.any([signal, scope.signal]);
    const forward = await openForward(tunnel, forwardFolders(layout), whileNeeded);
    const login = { layout, user: 'root', key: layout.rootKey, timeoutMs } as const;
    const argv = sshArgv(login, forward, 'poweroff');
    return succeeded(await run(ssh, argv, { signal, timeoutMs, env: sshEnvironment(process.env) }));
  } catch {
    // There are other ways; whoever asked tries them.
    return false;
  } finally {
    scope.abort();
  }
}
