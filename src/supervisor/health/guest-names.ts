/** Tells a guest that runs of the host's name servers, where its network program would go on with those of the start. */
import type { Network } from '../../domain/guest-network.ts';
import type { GuestAgent } from '../../guest/agent/agent.ts';
import { askedByGuest, tellNameServers } from '../../guest/agent/name-servers.ts';
import { failureOf } from '../../system/failure.ts';
import { stampOf } from '../../system/files/stamp.ts';
import type { Log } from '../../system/log.ts';
import { nameServersHere } from '../../system/host/resolvers.ts';

interface GuestNamesOptions {
  readonly network: Pick<Network, 'guest' | 'namesOnce'>;
  readonly log: Log;
  /** Default: the system's own. */
  readonly resolvConf?: string;
}

interface Guest {
  readonly agent: Pick<GuestAgent, 'exec'>;
  readonly signal: AbortSignal;
}

/** One start's names; to be made before its network program reads them. */
export class GuestNames {
  readonly #options: GuestNamesOptions;
  readonly #path: string;
  /** What the network program asks. */
  readonly #first: string;
  #version: string;
  /** What the guest asks beside its network. */
  #told: readonly string[] = [];
  #isTelling = false;
  /** It did not answer the last time. */
  #isMute = false;

  constructor(options: GuestNamesOptions) {
    this.#options = options;
    this.#path = options.resolvConf ?? '/etc/resolv.conf';
    this.#version = stampOf(this.#path);
    this.#first = this.#servers.join();
  }

  /** Looks whether they are others now, and tells the guest; to be called now and then. Costs no more than a look at a file. */
  async tell(guest: Guest): Promise<void> {
    const version = stampOf(this.#path);
    if (version === this.#version || this.#isTelling) return;
    this.#isTelling = true;
    try {
      if (await this.#tell(this.#servers, guest)) this.#version = version;
    } finally {
      this.#isTelling = false;
    }
  }

  /** Whether the guest asks others than its network program does, which begins anew with each start. */
  get areOthers(): boolean {
    return this.#told.length > 0;
  }

  get #servers(): readonly string[] {
    return nameServersHere(this.#path);
  }

  /** False where it is to be tried again. */
  async #tell(all: readonly string[], { agent, signal }: Guest): Promise<boolean> {
    const { network, log } = this.#options;
    // Without any there is no network; what comes with the next one is another version.
    if (network.namesOnce === undefined || all.length === 0) return true;
    const servers = all.join() === this.#first ? [] : askedByGuest(all, network.namesOnce.loopback);
    if (servers.join() === this.#told.join()) return true;
    try {
      const telling = { servers, own: network.guest.nameservers, before: this.#told };
      const { code, stderr } = await tellNameServers(agent, telling, signal);
      log(code === 0 ? 'info' : 'warn', 'name-servers-told', { servers, code, stderr });
      if (code === 0) this.#told = servers;
      this.#isMute = false;
      return true;
    } catch (error) {
      if (!signal.aborted && !this.#isMute)
        log('warn', 'name-servers-not-told', { failure: failureOf(error) });
      this.#isMute = true;
      return false;
    }
  }
}
