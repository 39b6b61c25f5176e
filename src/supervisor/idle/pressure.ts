/** Whether this machine would rather have its guest's memory and power back now: on battery, or short of memory. */
import type { Idle } from '../../config/idle.ts';
import { isShortOfMemory } from '../../system/host/host-memory.ts';
import { isOnBattery } from '../../system/host/power.ts';

/** What this machine is short of. */
export type Pressure = 'battery' | 'memory';

interface PressureOptions {
  /** What the settings want of it now. */
  readonly policy: () => Pick<Idle, 'onBattery' | 'onLowMemory'> | undefined;
  readonly onBattery?: Question;
  readonly onLowMemory?: Question;
}

/** Who cannot be asked presses nobody. */
type Question = (signal: AbortSignal) => Promise<boolean>;

/** What presses, if anything does that the settings heed. Nothing is asked that they do not want to know. */
export async function pressureNow(
  { policy, onBattery = isOnBattery, onLowMemory = isShortOfMemory }: PressureOptions,
  signal: AbortSignal,
): Promise<Pressure | undefined> {
  const wanted = policy();
  const says = (question: Question) => question(signal).catch(() => false);
  if (wanted?.onLowMemory === 'now' && (await says(onLowMemory))) return 'memory';
  if (wanted?.onBattery === 'now' && (await says(onBattery))) return 'battery';
  return undefined;
}
