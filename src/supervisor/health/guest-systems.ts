/** Whether a guest that is ready runs what the settings offer to Nix beside its own system. */
import type { Config } from '../../config/config.ts';
import type { GuestAgent } from '../../guest/agent/agent.ts';
import { i686Script, ranI686 } from '../../guest/login/i686.ts';
import { Failed } from '../../system/failure.ts';

interface Guest {
  readonly config: Pick<Config, 'extraSystems'> | undefined;
  readonly agent: Pick<GuestAgent, 'exec'>;
  /** Whether it has reached that stage. */
  readonly watch: { readonly has: (stage: string) => boolean };
  readonly signal: AbortSignal;
}

/** One guest: what is offered is tried once for each reading of the settings, so that an offer which was taken back for a moment is tried anew. */
export class GuestSystems {
  readonly #onLost: (systems: readonly string[] | undefined) => void;
  #tried: Guest['config'];
  #isTrying = false;
  #isLost = false;

  /** `onLost` hears of which no program ran, and undefined when that is over. */
  constructor(onLost: (systems: readonly string[] | undefined) => void) {
    this.#onLost = onLost;
  }

  /** To be called now and then: tries what it has not tried. */
  async look({ config, agent, watch, signal }: Guest): Promise<void> {
    const offered = config?.extraSystems ?? [];
    if (config === this.#tried || this.#isTrying || !watch.has('agent')) return;
    this.#isTrying = true;
    try {
      const ran = offered.length === 0 || (await runs(agent, signal));
      this.#tried = config;
      if (ran !== undefined && ran === this.#isLost) this.#onLost(ran ? undefined : offered);
      if (ran !== undefined) this.#isLost = !ran;
    } catch (error) {
      // It does not answer now: the next look tries again.
      if (!(error instanceof Failed) && !signal.aborted) throw error;
    } finally {
      this.#isTrying = false;
    }
  }
}

async function runs(agent: Guest['agent'], signal: AbortSignal): Promise<boolean | undefined> {
  const argv = ['-c', i686Script];
  return ranI686((await agent.exec('/bin/sh', argv, { signal, timeoutMs: 10_000 })).stdout);
}
