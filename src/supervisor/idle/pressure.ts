/** Whether this machine would rather have its guest's memory and power back now: on battery, or short of memory. */
import type { Idle } from '../../config/idle.ts';
import { freeMemoryShare } from '../../system/host/host-memory.ts';
import { isOnBattery } from '../../system/host/power.ts';

/** What this machine is short of. */
export type Pressure = 'battery' | 'memory';

interface PressureOptions {
  /** What the settings want of it now. */
  readonly policy: () => Pick<Idle, 'onBattery' | 'onLowMemory'> | undefined;
  readonly onBattery?: (signal: AbortSignal) => Promise<boolean>;
  /** 0 to 1; undefined where the system does not tell. */
  readonly freeShare?: () => number | undefined;
}

/** Of the memory: below this the host begins to swap, or to kill. */
const lowShare = 0.1;

/** What presses, if anything does that the settings heed. Nothing is asked that they do not want to know. */
export async function pressureNow(
  { policy, onBattery = isOnBattery, freeShare = freeMemoryShare }: PressureOptions,
  signal: AbortSignal,
): Promise<Pressure | undefined> {
  const wanted = policy();
  if (wanted?.onLowMemory === 'now' && (freeShare() ?? 1) < lowShare) return 'memory';
  if (wanted?.onBattery === 'now' && (await onBattery(signal).catch(() => false))) return 'battery';
  return undefined;
}
