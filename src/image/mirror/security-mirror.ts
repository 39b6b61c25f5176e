/** Where the packages of Debian's security archive come from. */
import { checkMirror, hasLogin, sourcesOfApt, withoutSlash, type Mirror } from './mirror.ts';

/**
 * `chosen` if given; else what the apt sources below `etc` name, unless the mirror itself was chosen; else what most mirrors have beside the
 * packages, at the same address with `-security` behind it; beside a mirror that is a whole server, where Debian's own has it.
 */
export function findSecurityMirror(
  chosen: string | undefined,
  mirror: Mirror,
  etc = '/etc/apt',
): Mirror {
  if (chosen !== undefined) return { url: checkMirror(chosen), from: 'option' };
  const found = mirror.from === 'option' ? undefined : securityOfApt(etc);
  return found === undefined
    ? { url: beside(mirror.url), from: mirror.from }
    : { url: withoutSlash(found), from: 'apt sources' };
}

/** Without a path the address ends with the host's name or its port, which is not to become another's. */
const beside = (url: string): string =>
  new URL(url).pathname === '/' ? `${url}/debian-security` : `${url}-security`;

/** Its path ends so on every mirror that has it; its components had a part of its name once. The signature decides in the end. */
const securityOfApt = (etc: string): string | undefined =>
  sourcesOfApt(etc).find(
    ({ url, components }) =>
      components.some((each) => /(^|\/)main$/.test(each)) &&
      URL.canParse(url) &&
      /^https?:\/\/.*\/(debian-)?security\/*$/.test(url) &&
      !hasLogin(url),
  )?.url;
