/** How far a download is: all its files together. */
import type { Clock } from '../../system/time/clock.ts';

/** At one moment. In bytes, and bytes a second. */
export interface DownloadProgress {
  /** The file that moved last. */
  readonly name: string;
  readonly bytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
}

interface Sized {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
}

interface MeterOptions {
  readonly clock: Clock;
  readonly onProgress?: (progress: DownloadProgress) => void;
}

/** Adds up the files of one download. */
export interface Meter {
  /** A file has that many bytes now. */
  at(wanted: Sized, bytes: number): void;
}

/** Adds up what all files have; the rate is that of this run, not of what was there before. */
export function meterOf(missing: readonly Sized[], { clock, onProgress }: MeterOptions): Meter {
  const totalBytes = missing.reduce((sum, { size }) => sum + size, 0);
  const start = clock.monotonic();
  const bytesOf = new Map<Sized, number>();
  let bytes = 0;
  let fresh = 0;
  return {
    at(wanted, now) {
      const before = bytesOf.get(wanted);
      bytesOf.set(wanted, now);
      bytes += now - (before ?? 0);
      fresh += Math.max(0, now - (before ?? now));
      const seconds = Math.max(0.001, (clock.monotonic() - start) / 1000);
      onProgress?.({ name: wanted.name, bytes, totalBytes, bytesPerSecond: fresh / seconds });
    },
  };
}
