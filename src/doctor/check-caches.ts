/** The check of the guest's way out: names and caches, as its own Nix finds them, beside what this machine finds. */
import { canConnect } from '../system/socket/connected.ts';
import type { CheckVerdict } from './check-runner.ts';
import { alias } from '../nix/ssh/stanza.ts';
import { cachesIn, cachesScript, type Cache } from '../guest/login/caches.ts';
import { run } from '../system/process/child.ts';
import { nameServersHere } from '../system/host/resolvers.ts';
import type { DoctorFacts } from './facts.ts';
import { advice, ours } from '../system/advice.ts';

/** Longer than all of the script's own limits. */
const timeoutMs = 90_000;
/** For one connection from this machine. */
const hostTimeoutMs = 5_000;

/** Whether the guest reaches the caches that its Nix names; those that it does not are tried from here too. */
export async function namesAndCaches(facts: DoctorFacts): Promise<CheckVerdict> {
  const { layout, context, program, status } = facts;
  const { signal } = context;
  const argv = ['-F', layout.sshConfig, alias, '--', 'sh'];
  const { stdout } = await run(program('ssh'), argv, { input: cachesScript, timeoutMs, signal });
  const caches = cachesIn(stdout);
  if (caches === undefined)
    return {
      kind: 'not-asked',
      code: 'caches-not-asked',
      why: 'the guest lacks sh, mktemp or nix, which this check needs',
    };
  const lacking = caches.filter(({ state }) => state !== 'reached');
  const found = await Promise.all(lacking.map(({ url }) => reachedFromHere(url, signal)));
  return judgeCaches(caches, {
    reachedFromHere: lacking.filter((_, index) => found[index] === true).map(({ url }) => url),
    network: status().network ?? 'user',
    nameServers: nameServersHere(),
  });
}

/** What tells whose fault it is that a cache is not reached. */
export interface Surroundings {
  /** Of those that the guest does not reach. */
  readonly reachedFromHere: readonly string[];
  /** What gives the guest its network. */
  readonly network: string;
  /** This machine's. */
  readonly nameServers: readonly string[];
}

/** Pure. What this machine does not reach either is no fault of the guest, and less than builds usually have. */
export function judgeCaches(caches: readonly Cache[], around: Surroundings): CheckVerdict {
  const lacking = caches.filter(({ state }) => state !== 'reached');
  const isTheGuests = ({ url }: Cache) => around.reachedFromHere.includes(url);
  const worst = lacking.find(isTheGuests) ?? lacking[0];
  if (worst === undefined)
    return {
      kind: 'good',
      fact:
        caches.length === 0
          ? 'the guest uses no caches'
          : `the guest reaches ${caches.map(({ url }) => url).join(', ')}`,
    };
  const { url, state, said } = worst;
  const nixSays = said === undefined ? '' : `Nix in the guest says: ${said}. `;
  const what =
    state === 'unnamed'
      ? `The guest cannot resolve the host name in ${url}`
      : `The guest cannot reach ${url}`;
  if (isTheGuests(worst))
    return {
      kind: 'bad',
      code: state === 'unnamed' ? 'cache-unresolved' : 'cache-unreached',
      what: `${what}, although this machine can.`,
      ...wayOut(around, nixSays),
    };
  return {
    kind: 'note',
    code: 'cache-unreached-here',
    fact: `${what}, and neither can this machine`,
    why: `${nixSays}Builds cannot download anything from there until this machine can. The guest does not use this machine's proxy settings.`,
    isLess: true,
  };
}

/** What mends it, by who passes names and connections on. */
function wayOut({ network, nameServers }: Surroundings, said: string) {
  const restart = ours('restart');
  if (network !== 'user')
    return { why: `${said}${network} forwards the guest's connections.`, remedy: restart };
  const asked = nameServers.find((server) => /^\d+(\.\d+){3}$/.test(server));
  const names =
    asked === undefined
      ? "QEMU's own network forwards name lookups only to an IPv4 server, and /etc/resolv.conf lists none."
      : `QEMU's own network forwards name lookups only to ${asked}.`;
  return {
    why: `${said}${names}`,
    remedy: advice`${ours('configure', '--network gvproxy')}, then ${restart}`,
  };
}

/** Whether a connection can be made from this machine, without any proxy. */
function reachedFromHere(url: string, signal: AbortSignal): Promise<boolean> {
  const { hostname, port, protocol } = new URL(url);
  const usual = protocol === 'https:' ? 443 : 80;
  const where = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || usual) };
  return canConnect({ ...where, timeout: hostTimeoutMs }, signal);
}
