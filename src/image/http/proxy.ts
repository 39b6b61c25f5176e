/** Which proxy is asked for a URL: what the environment says, as curl reads it, else what apt is told on this machine. */
import { BlockList, isIP, isIPv6 } from 'node:net';
import { Exit, Failed } from '../../system/failure.ts';

/** One that is to be asked, and who said so. */
export interface Proxy {
  /** Without a login. */
  readonly url: URL;
  /** Value of Proxy-Authorization: a secret. */
  readonly login: string | undefined;
  /** Who names it, for people: `http_proxy`, `apt's Acquire::http::Proxy`. */
  readonly from: string;
}

/** Undefined: straight. */
export type ProxyFor = (url: URL) => Proxy | undefined;

type Environment = Readonly<Record<string, string | undefined>>;

/** Settings of apt by their lower-case names: `acquire::http::proxy`. */
export type AptSettings = ReadonlyMap<string, string>;

/** The environment's word counts before apt's. */
export function proxiesOf(env: Environment, apt: AptSettings = new Map()): ProxyFor {
  return (url) => {
    const scheme = url.protocol.slice(0, -1);
    const named = firstOf(env, [`${scheme}_proxy`, 'all_proxy']);
    if (named !== undefined) return isExempt(url, env) ? undefined : proxyFrom(...named);
    const found = isExempt(url, env) ? undefined : aptProxy(url, scheme, apt);
    return found === undefined ? undefined : proxyFrom(...found);
  };
}

/** Lower case first, as curl does; an empty one says nothing. */
function firstOf(
  env: Environment,
  names: readonly string[],
): [value: string, from: string] | undefined {
  for (const name of names.flatMap((each) => [each, each.toUpperCase()])) {
    const value = env[name]?.trim() ?? '';
    if (value !== '') return [value, name];
  }
  return undefined;
}

/** apt.conf(5): a host's own setting first, and for https that of http where it has none. `DIRECT` is none. */
function aptProxy(
  url: URL,
  scheme: string,
  apt: AptSettings,
): [value: string, from: string] | undefined {
  const schemes = scheme === 'https' ? ['https', 'http'] : ['http'];
  for (const suffix of [`::${url.hostname}`, ''])
    for (const each of schemes) {
      const value = apt.get(`acquire::${each}::proxy${suffix}`.toLowerCase());
      if (value === undefined || value === '') continue;
      return /^(direct|false)$/i.test(value) ? undefined : [value, `apt's Acquire::${each}::Proxy`];
    }
  return undefined;
}

function proxyFrom(value: string, from: string): Proxy {
  const address = /^[a-z][\w+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  if (!URL.canParse(address)) throw unusable(from, 'is not an address');
  const url = new URL(address);
  if (!/^https?:$/.test(url.protocol))
    throw unusable(from, `has the unsupported scheme ${url.protocol.slice(0, -1)}`);
  const { username, password } = url;
  const login = `${decoded(username)}:${decoded(password)}`;
  return {
    url: new URL(url.origin),
    login: username === '' ? undefined : `Basic ${Buffer.from(login).toString('base64')}`,
    from,
  };
}

/** A login with a % of its own is taken as it stands. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function isExempt(url: URL, env: Environment): boolean {
  const [list] = firstOf(env, ['no_proxy']) ?? [''];
  const host = bare(url.hostname);
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return list.split(/[\s,]+/).some((each) => each !== '' && exempts(each, host, port));
}

/** `*`, an address, a network like 10.0.0.0/8, or a name that stands for itself and all below it; with a port for that alone. */
function exempts(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  const [, network, prefix] = /^([\d.]+|\[?[\da-f:.]+\]?)\/(\d+)$/i.exec(entry) ?? [];
  if (network !== undefined) return isWithin(host, bare(network), Number(prefix));
  const [, name = entry, only] = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
  if (only !== undefined && only !== port) return false;
  const domain = bare(name).replace(/^\*?\./, '');
  return host === domain || (isIP(host) === 0 && host.endsWith(`.${domain}`));
}

function isWithin(host: string, network: string, prefix: number): boolean {
  const family = isIPv6(network) ? 'ipv6' : 'ipv4';
  if (isIP(host) === 0 || isIP(network) === 0 || prefix > (family === 'ipv6' ? 128 : 32))
    return false;
  const list = new BlockList();
  list.addSubnet(network, prefix, family);
  return list.check(host, isIPv6(host) ? 'ipv6' : 'ipv4');
}

const bare = (host: string): string => host.toLowerCase().replace(/^\[|\]$|\.$/g, '');

/** The value may hold a password and is not shown. */
const unusable = (from: string, why: string): Failed =>
  new Failed({
    kind: 'proxy-unusable',
    message: `The proxy in ${from} ${why}.`,
    hint: `Set it to http://HOST:PORT, or start the command with ${/^\w+$/.test(from) ? `${from}=` : 'no_proxy=*'}`,
    exit: Exit.config,
  });
