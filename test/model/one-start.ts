/** One start of a guest in a world, without a supervisor: by a driver that no setting names. */
import { Staging } from '../../src/supervisor/start/staging.ts';
import { Scope } from '../../src/supervisor/scope.ts';
import { start } from '../../src/supervisor/start/start.ts';
import { stop } from '../../src/supervisor/stop/stop.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { silent } from '../../src/system/log.ts';
import { Verdicts } from '../../src/domain/verdicts.ts';
import type { VmDriver } from '../../src/vm/vm-driver.ts';
import type { World } from './world.ts';

export async function oneStart({ layout, config }: World, driver: VmDriver) {
  const isOurs = () => true;
  const shared = { layout, clock: systemClock, log: silent };
  const choice = { driver, why: 'It is tried.', rejected: [] };
  const scope = new Scope(
    { ...shared, begunAt: systemClock.now(), config: { ...config, vm: 'qemu' }, choice },
    { onEvent: () => undefined, onChange: () => undefined },
  );
  const context = {
    ...shared,
    bootFiles: new Staging({ ...shared, isOurs }),
    verdicts: new Verdicts(layout.verdicts),
    isClear: false,
    isDoubtful: false,
    afresh: false,
  };
  const { child } = await start(context, scope);
  const end = async () => {
    scope.end();
    await stop(scope.running, {
      ...shared,
      isOurs,
      agent: () => undefined,
      listens: () => false,
      frozen: false,
      dead: true,
      closeConsole: () => scope.guest.closeConsole(isOurs),
      now: AbortSignal.abort(),
    });
    return child.ended;
  };
  return { child, scope, end };
}
