/** One request after the other, straight or through a proxy, over http or https, to where a redirect leads. Knows undici. */
import { lookup, type LookupAddress, type LookupOptions } from 'node:dns';
import type { Readable } from 'node:stream';
import { Agent } from 'undici';
import { refused, sentTooNear } from '../mirror/mirror-failure.ts';
import type { Clock } from '../../system/time/clock.ts';
import { firstToAnswer } from './first-to-answer.ts';
import type { Proxy, ProxyFor } from './proxy.ts';
import { reachOfAddress, reachOfHost, type Reach } from './reach.ts';
import { loginOf, proxyRefused, proxyUnreachable, tunnelThrough } from './proxy-tunnel.ts';

interface WebOptions {
  readonly proxyFor?: ProxyFor;
  /** Certificates in PEM that an https host is known by; Node's own when left out. Asked once, and only for https. */
  readonly roots?: () => Promise<readonly string[]>;
  /** Asks for all addresses of a name; the system's way when left out. */
  readonly resolve?: Resolve;
  /** The system's when left out. */
  readonly clock?: Clock;
}

type Resolve = (
  hostname: string,
  options: LookupOptions & { readonly all: true },
  done: (error: Error | null, found: LookupAddress[]) => void,
) => void;

/** The answer to the last request of a chain of redirects. */
export interface WebReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Has to be read or destroyed. */
  readonly body: Readable;
  /** Where it came from in the end. */
  readonly url: string;
}

/** As many as fetch follows. */
const maxRedirects = 20;

/** A way to the mirrors. Connections are kept for the next request, and keep nobody from ending. */
export class Web {
  readonly #options: WebOptions;
  readonly #agents = new Map<string, Promise<Agent>>();
  /** How near hosts were when they were asked for the first time, by their names. */
  readonly #reaches = new Map<string, Reach>();
  /** How far they have ever been: no nearer do they send us, whatever else their name says, or said before. */
  readonly #farthest = new Map<string, Reach>();
  #roots: Promise<readonly string[]> | undefined;

  constructor(options: WebOptions = {}) {
    this.#options = options;
  }

  /** The answer to a GET. Throws the signal's reason when aborted, then and while the body is read. */
  async get(
    address: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<WebReply> {
    const first = new URL(address);
    let url = first;
    for (let hop = 0; hop <= maxRedirects; hop++) {
      const reply = await this.#ask(url, hop === 0 ? undefined : this.#reachOf(first), {
        headers,
        signal,
      });
      const next = redirection(reply);
      if (next === undefined) return { ...reply, url: url.href };
      reply.body.on('error', () => undefined).destroy();
      url = this.#follow(first, url, next);
    }
    throw refused(address, `redirects more than ${maxRedirects} times`);
  }

  /** Where a mirror sends us, if we go there. */
  #follow(first: URL, from: URL, to: string): URL {
    const next = URL.canParse(to, from.href) ? new URL(to, from) : undefined;
    if (next === undefined || !/^https?:$/.test(next.protocol))
      throw refused(from.href, 'redirects to an address that is not http or https');
    // Nothing of the mirror's choice is sent as a login, or shown.
    next.username = next.password = '';
    const reach = reachOfHost(next.hostname);
    if (reach !== undefined && reach > this.#reachOf(first))
      throw sentTooNear(first.href, next.href);
    return next;
  }

  #reachOf = ({ hostname }: URL): Reach =>
    reachOfHost(hostname) ?? this.#farthest.get(hostname) ?? 0;

  async #ask(
    url: URL,
    limit: Reach | undefined,
    options: { readonly headers: Readonly<Record<string, string>>; readonly signal: AbortSignal },
  ) {
    const proxy = this.#options.proxyFor?.(url);
    const agent = await this.#agentFor(url, limit, proxy);
    // A proxy is asked for what is below http by the whole address, and for a tunnel to what is below https.
    const forwarder = url.protocol === 'http:' ? proxy : undefined;
    const { signal, headers: ours } = options;
    const headers = { ...ours, host: url.host, ...(forwarder && loginOf(forwarder)) };
    const [origin, path] =
      forwarder === undefined
        ? [url.origin, `${url.pathname}${url.search}`]
        : [forwarder.url.origin, url.href];
    const reply = await agent
      .request({ origin, path, method: 'GET', headers, signal })
      .catch((error: unknown) => {
        throw forwarder === undefined || signal.aborted
          ? error
          : proxyUnreachable(forwarder, error);
      });
    if (forwarder !== undefined && reply.statusCode === 407) {
      reply.body.on('error', () => undefined).destroy();
      throw proxyRefused(forwarder, 407);
    }
    return { status: reply.statusCode, headers: reply.headers, body: reply.body };
  }

  #agentFor(url: URL, limit: Reach | undefined, proxy: Proxy | undefined): Promise<Agent> {
    const isSecure = [url, proxy?.url].some((each) => each?.protocol === 'https:');
    const tunnelled = proxy !== undefined && url.protocol === 'https:';
    const name = [isSecure, limit, proxy?.url.origin, tunnelled].join(' ');
    const found = this.#agents.get(name) ?? this.#makeAgent(isSecure, limit, proxy, tunnelled);
    this.#agents.set(name, found);
    return found;
  }

  async #makeAgent(
    isSecure: boolean,
    limit: Reach | undefined,
    proxy: Proxy | undefined,
    tunnelled: boolean,
  ): Promise<Agent> {
    const roots = isSecure ? await (this.#roots ??= this.#options.roots?.()) : undefined;
    const { clock } = this.#options;
    const connection = { ...(clock && { clock }), ...(roots && { ca: [...roots] }) };
    const connect =
      proxy === undefined
        ? firstToAnswer({ ...connection, lookup: this.#lookupWithin(limit) })
        : tunnelled
          ? tunnelThrough(proxy, connection)
          : firstToAnswer(connection);
    return new Agent({ connect, headersTimeout: 0, bodyTimeout: 0 });
  }

  /** The system's, less what is nearer than the limit; a name that was asked for first is never nearer than it was then. */
  #lookupWithin =
    (given: Reach | undefined) =>
    (
      hostname: string,
      options: LookupOptions,
      done: (error: Error | null, address: string | LookupAddress[], family?: number) => void,
    ): void =>
      (this.#options.resolve ?? lookup)(hostname, { ...options, all: true }, (error, found) => {
        if (error !== null) return done(error, []);
        const reaches = found.map(({ address }) => reachOfAddress(address));
        const limit = given ?? this.#reaches.get(hostname) ?? (Math.max(...reaches) as Reach);
        if (given === undefined) {
          this.#reaches.set(hostname, limit);
          const known = this.#farthest.get(hostname) ?? limit;
          this.#farthest.set(hostname, Math.min(known, ...reaches) as Reach);
        }
        const allowed = found.filter((_, at) => (reaches[at] ?? 2) <= limit);
        const [best] = allowed;
        if (best === undefined) done(sentTooNear('The mirror', hostname), []);
        else if (options.all === true) done(null, allowed);
        else done(null, best.address, best.family);
      });
}

/** The way that is taken where nobody says another: straight. */
export const straight = new Web();

const redirection = ({
  status,
  headers: { location },
}: Omit<WebReply, 'url'>): string | undefined =>
  [301, 302, 303, 307, 308].includes(status) && typeof location === 'string' ? location : undefined;
