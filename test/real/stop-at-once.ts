import { readLive } from '../../src/system/files/pidfile.ts';
import { fact } from './command.ts';
import type { BuilderRig } from './rig.ts';

/** Asks the daemon twice, as two requests and not one, so that nobody waits for a guest that has hardly begun. */
export async function stopAtOnce(rig: BuilderRig): Promise<void> {
  const files = { plain: rig.layout.pid('daemon'), record: rig.layout.daemonPid };
  const { pid } = await fact('a daemon', () => readLive(files));
  const asked = performance.now();
  process.kill(pid, 'SIGTERM');
  await fact('the next signal is another one', () => performance.now() - asked > 1_050);
  process.kill(pid, 'SIGTERM');
  await rig.leavesNothing();
}
