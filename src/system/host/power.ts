/** Whether this machine has a battery, and runs on it. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../process/child.ts';
import { readIfThere } from '../files/files.ts';

/** False where that cannot be known, as on a machine without a battery. */
export async function isOnBattery(signal: AbortSignal): Promise<boolean> {
  if (process.platform === 'darwin') return isOnMacBattery(signal);
  return isDischarging('/sys/class/power_supply');
}

/**
 * Linux (Documentation/ABI/testing/sysfs-class-power): a battery of the system that is being discharged while no adapter is online. Those of
 * mice and keyboards have the scope `Device`.
 */
export function isDischarging(folder: string): boolean {
  const supplies = suppliesIn(folder);
  const adapters = supplies.filter(({ type }) => type === 'Mains' || type.startsWith('USB'));
  if (adapters.some(({ online }) => online === '1')) return false;
  return supplies.some(
    ({ type, status, scope }) =>
      type === 'Battery' && status === 'Discharging' && scope !== 'Device',
  );
}

/** Linux: whether the system has a battery of its own. A UPS is another type. */
export const hasBattery = (folder: string): boolean =>
  suppliesIn(folder).some(({ type, scope }) => type === 'Battery' && scope !== 'Device');

function suppliesIn(folder: string) {
  return namesIn(folder).map((name) => {
    const read = (file: string) => {
      try {
        return readIfThere(join(folder, name, file))?.trim() ?? '';
      } catch {
        return ''; // A driver may refuse, ENODEV for instance.
      }
    };
    return {
      type: read('type'),
      online: read('online'),
      status: read('status'),
      scope: read('scope'),
    };
  });
}

/** pmset(1): `-g ps` names the source that is drawn from. */
async function isOnMacBattery(signal: AbortSignal): Promise<boolean> {
  const { stdout } = await run('/usr/bin/pmset', ['-g', 'ps'], { timeoutMs: 10_000, signal });
  return stdout.includes("'Battery Power'");
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // No such folder in a container, or on a kernel without batteries.
  }
}
