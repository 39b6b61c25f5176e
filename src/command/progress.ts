/** How far a download is: a bar on a terminal, else a line every few seconds. The only file that knows cli-progress. */
import type { DownloadProgress } from '../image/http/download.ts';
import { plainText } from '../system/plain-text.ts';
import { movesCursor, type CliContext } from './context.ts';

/** One download's progress on whatever is written to. */
export interface ProgressView {
  show(progress: DownloadProgress): void;
  /** Takes the bar away, so that other lines can be written. */
  end(): void;
}

/** The view that fits the place where we write. */
export async function progressView(context: CliContext): Promise<ProgressView> {
  return movesCursor(context) ? bar() : lines(context);
}

/** Nothing is shown. */
export const noView: ProgressView = { show: () => undefined, end: () => undefined };

async function bar(): Promise<ProgressView> {
  const { default: progress } = await import('cli-progress');
  const format = 'Fetching [{bar}] {percentage}% {amount} {rate} {name}';
  const one = new progress.SingleBar(
    { format, hideCursor: true, clearOnComplete: true, barsize: 24, fps: 8, linewrap: false },
    progress.Presets.shades_classic,
  );
  let shown = false;
  return {
    show(now) {
      const { amount, rate } = inWords(now);
      const payload = { amount, rate, name: plainText(now.name) };
      if (!shown) one.start(now.totalBytes, now.bytes, payload);
      else one.update(now.bytes, payload);
      shown = true;
    },
    end() {
      if (shown) one.stop();
      shown = false;
    },
  };
}

/** In a pipe or a log each line stays. */
const everyMs = 5000;

function lines(context: CliContext): ProgressView {
  const { clock } = context;
  let last = clock.monotonic();
  return {
    show(now) {
      const whole = now.bytes === now.totalBytes;
      if (!whole && clock.monotonic() - last < everyMs) return;
      last = clock.monotonic();
      const { amount, rate } = inWords(now);
      context.err(`Fetching: ${amount}, ${rate}, ${now.name}`);
    },
    end: () => undefined,
  };
}

/** Bytes as people read them. */
export const mebibytes = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);

const inWords = ({ bytes, totalBytes, bytesPerSecond }: DownloadProgress) => ({
  amount: `${mebibytes(bytes)} of ${mebibytes(totalBytes)} MiB`,
  rate: `${mebibytes(bytesPerSecond)} MiB/s`,
});
