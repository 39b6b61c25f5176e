/** A VM that an earlier daemon left behind, as a terminal ends it: no daemon runs, and none begins meanwhile. */
import { rmSync } from 'node:fs';
import { checkConfig, type Config } from '../config/config.ts';
import type { Layout } from '../config/layout.ts';
import type { Clock } from '../system/time/clock.ts';
import { Failed } from '../system/failure.ts';
import { hostFacts } from '../system/host/host.ts';
import { silent } from '../system/log.ts';
import { removePid } from '../system/files/pidfile.ts';
import { tryProgram } from '../system/process/find-program.ts';
import { driverFor } from '../vm/choose-vm.ts';
import { ownPidFiles } from '../supervisor/daemon/daemon-lock.ts';
import { configInvalid } from '../supervisor/health/child-failures.ts';
import { endLeftovers, isAnyLeft, type LeftBehind } from '../supervisor/stop/leftovers.ts';
import { readSettings } from '../config/read-settings.ts';
import { discardSaved } from '../supervisor/idle/saved-guest.ts';

/** To be called with the daemon's lock. */
export async function endWhatIsLeft(
  layout: Layout,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<'leftover-ended' | 'nothing-runs'> {
  // Who ends the builder for good leaves nothing of what was in its guest's memory.
  discardSaved(layout);
  const config = settingsOf(layout);
  const driver = driverFor({ config, layout });
  const program = tryProgram(driver.program(config)) ?? driver.program(config);
  const left: LeftBehind = { layout, driver, program, clock, log: silent };
  if (!(await isAnyLeft(left))) return 'nothing-runs';
  await endLeftovers(left, signal);
  // What the daemon that was killed could not take away itself.
  removePid(ownPidFiles(layout));
  for (const socket of [layout.control, layout.ownControl]) rmSync(socket, { force: true });
  return 'leftover-ended';
}

/** Those of config.json; the defaults where it cannot be taken: what runs is told by its record. */
function settingsOf(layout: Layout): Config {
  const { config, problems } = readSettings(layout);
  if (config !== undefined) return config;
  const parsed = checkConfig({}, hostFacts(layout.root));
  if (!parsed.ok) throw new Failed(configInvalid(problems));
  return parsed.config;
}
