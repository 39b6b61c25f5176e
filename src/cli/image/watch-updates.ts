/**
 * The daemon's look at Debian's security archive, once a day: whether there is anything newer than the image. It is a process of its own,
 * which is gone when it is done: what verifies signatures and reads lists of packages is large.
 */
import { join } from 'node:path';
import type { Config } from '../../config/config.ts';
import type { Layout } from '../../config/layout.ts';
import { ask } from '../../supervisor/daemon/ask-daemon.ts';
import { readSettings } from '../../config/read-settings.ts';
import { ownPidFiles } from '../../supervisor/daemon/daemon-lock.ts';
import { run, type CommandResult } from '../../system/process/child.ts';
import type { Clock } from '../../system/time/clock.ts';
import { readLive } from '../../system/files/pidfile.ts';
import { isOnBattery } from '../../system/host/power.ts';
import type { CliContext } from '../../command/context.ts';
import { newsIn } from '../../image/image-news.ts';

/** Whose image it is, and what may be done about it. */
export interface WatchOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly assets: string;
  readonly signal: AbortSignal;
  /** Undefined where the settings cannot be taken. */
  readonly mode: () => Promise<Config['imageUpdates'] | undefined>;
  /** Whether this daemon is the one of the state directory; another looks itself. */
  readonly isOurs: () => boolean;
  /** Whether nobody is in the guest. */
  readonly isIdle: () => Promise<boolean>;
  /** The program with these words, to its end. */
  readonly runSelf?: (argv: readonly string[], timeoutMs: number) => Promise<CommandResult>;
  readonly onBattery?: (signal: AbortSignal) => Promise<boolean>;
}

const minuteMs = 60 * 1000;
const dayMs = 24 * 60 * minuteMs;
/** A machine that has just started has other things to do. */
const everyMs = 15 * minuteMs;

/** For the daemon of a state directory. */
export function watchOf(layout: Layout, context: CliContext, signal: AbortSignal): WatchOptions {
  const { clock, assets } = context;
  return {
    layout,
    clock,
    assets,
    signal,
    isOurs: () => readLive(ownPidFiles(layout))?.pid === process.pid,
    mode: () => Promise.resolve(readSettings(layout).config?.imageUpdates),
    isIdle: async () => {
      const { loggedIn } = await ask(layout, 'door', clock, signal);
      return loggedIn === 0;
    },
  };
}

/** Looks until the signal aborts. */
export async function watchImage(options: WatchOptions): Promise<void> {
  const { clock, signal } = options;
  const watch = new ImageWatch(options);
  while (!signal.aborted)
    try {
      await clock.sleep(everyMs, signal);
      await watch.turn();
    } catch {
      // Whatever it was: it is tried again tomorrow, and `image update` says what is wrong.
    }
}

/** What is due: a look once a day, and with `auto` an update of an image that has newer packages. */
export class ImageWatch {
  readonly #options: WatchOptions;
  #triedAt = -Infinity;
  #updatedFor = '';

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** Does what is due. */
  async turn(): Promise<void> {
    const { mode, isOurs, signal, onBattery = isOnBattery } = this.#options;
    if (!isOurs()) return;
    const wanted = await mode();
    if (wanted === undefined || wanted === 'off') return;
    if ((this.#isLookDue() || this.#isUpdateDue(wanted)) && (await onBattery(signal))) return;
    if (this.#isLookDue()) await this.#look();
    if (this.#isUpdateDue(wanted) && (await this.#options.isIdle())) await this.#update();
  }

  /** One that failed is not made again at once either. */
  #isLookDue(): boolean {
    const now = this.#options.clock.now();
    const looked = Date.parse(newsIn(this.#options.layout)?.lookedAt ?? '');
    const isFresh = (at: number) => at <= now && now - at < dayMs;
    return !isFresh(looked) && !isFresh(this.#triedAt);
  }

  /** What is newer is made once; that the guest has not taken it yet is no reason to make it again. */
  #isUpdateDue(mode: Config['imageUpdates']): boolean {
    const news = newsIn(this.#options.layout);
    return mode === 'auto' && (news?.newer ?? 0) > 0 && news?.securityDate !== this.#updatedFor;
  }

  async #look(): Promise<void> {
    this.#triedAt = this.#options.clock.now();
    await this.#self(['image', 'update', '--check', '--quiet'], 10 * minuteMs);
  }

  async #update(): Promise<void> {
    this.#updatedFor = newsIn(this.#options.layout)?.securityDate ?? '';
    await this.#self(['image', 'update', '--quiet'], 120 * minuteMs);
  }

  #self(argv: readonly string[], timeoutMs: number): Promise<CommandResult> {
    const { assets, layout, signal } = this.#options;
    const words = [...argv, '--directory', layout.root];
    // Builds come first.
    const nice = ['-n', '10', process.execPath, join(assets, 'dist/main.js')];
    const runSelf =
      this.#options.runSelf ??
      ((all, limitMs) => run('nice', [...nice, ...all], { timeoutMs: limitMs, signal }));
    return runSelf(words, timeoutMs);
  }
}
