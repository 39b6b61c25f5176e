/** Where the packages come from: the mirror that this machine uses already, or an official one. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Exit, Failed } from '../../system/failure.ts';
import { OthersFiles } from '../../system/files/others-files.ts';
import { paragraphs } from '../debian/control-format.ts';

/** Where nothing else is named. */
export const defaultMirror = 'https://ftp.debian.org/debian';
/** The same without TLS, for where that cannot be had: what is signed stays so. */
export const plainMirror = 'http://ftp.debian.org/debian';

/** One that is used, and who named it. */
export interface Mirror {
  /** Without a final slash; `dists/` and `pool/` are below it. */
  readonly url: string;
  readonly from: 'option' | 'apt sources' | 'default';
}

/** `chosen` if given, else the Debian archive in the apt sources below `etc`, else the default. */
export function findMirror(chosen: string | undefined, etc = '/etc/apt'): Mirror {
  if (chosen !== undefined) return { url: checkMirror(chosen), from: 'option' };
  const [url] = mirrorsOfApt(etc).urls;
  return url === undefined
    ? { url: defaultMirror, from: 'default' }
    : { url: withoutSlash(url), from: 'apt sources' };
}

interface OfApt {
  /** In the order in which they are worth asking, without a final slash. */
  readonly urls: readonly string[];
  /** Archives that cannot be asked, each with the reason; without a login. */
  readonly others: readonly string[];
}

/** What apt's sources below `etc` name of Debian's archive, or of what calls itself so: only its signature tells. */
export function mirrorsOfApt(etc = '/etc/apt'): OfApt {
  const files = new OthersFiles();
  const { urls, others } = archivesOf(sourcesOfApt(etc, files), files);
  const unread = [...files.unread].map(([path, why]) => `${path} cannot be read (${why})`);
  return { urls, others: [...others, ...unread] };
}

/** All that apt on this machine takes packages from, as far as we may read it. */
export const sourcesOfApt = (etc: string, files = new OthersFiles()): Source[] =>
  aptSources(etc, files).flatMap(({ name, text }) =>
    name.endsWith('.sources') ? deb822Sources(text) : listSources(text),
  );

/** An address that files can be fetched below, without its final slash. */
export function checkMirror(chosen: string): string {
  const isAddress = /^https?:\/\/[^\s/]+/.test(chosen) && URL.canParse(chosen);
  const shown = JSON.stringify(withoutLogin(chosen));
  if (isAddress && !hasLogin(chosen)) return withoutSlash(chosen);
  throw new Failed({
    kind: 'mirror-invalid',
    message: isAddress
      ? `The mirror address ${shown} contains a login, which is not supported.`
      : `${shown} is not a mirror address.`,
    hint: `Use one like ${defaultMirror}: http or https, without a login, with dists/ and pool/ below it.`,
    exit: Exit.usage,
  });
}

/** apt's own order: sources.list first, then the directory's files by name. */
function aptSources(etc: string, { read }: OthersFiles): { name: string; text: string }[] {
  const directory = join(etc, 'sources.list.d');
  const names = filesIn(directory).filter((name) => /\.(list|sources)$/.test(name));
  return [join(etc, 'sources.list'), ...names.sort().map((name) => join(directory, name))].flatMap(
    (name) => {
      const text = read(name);
      return text === undefined ? [] : [{ name, text }];
    },
  );
}

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // Not a Debian host.
  }
}

/** One line or paragraph: where, and which parts of it. */
interface Source {
  readonly url: string;
  readonly components: readonly string[];
}

/** `deb [options] URL suite component...` */
function listSources(text: string): Source[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s+\S+\s+([^#]*)/.exec(line);
    const [, url, components] = match ?? [];
    return url === undefined ? [] : [{ url, components: words(components) }];
  });
}

/** What apt takes for no (sources.list(5) has `no`, and StringToBool of apt the others). */
const no = new Set(['no', 'false', 'without', 'off', 'disable', '0']);

/** Paragraphs of deb822 format that are enabled and hold binary packages. */
function deb822Sources(text: string): Source[] {
  return [...paragraphs(text)]
    .filter((each) => !no.has(each.get('enabled')?.toLowerCase() ?? 'yes'))
    .filter((each) => words(each.get('types')).includes('deb'))
    .flatMap((each) =>
      words(each.get('uris')).map((url) => ({ url, components: words(each.get('components')) })),
    );
}

/**
 * What may be a mirror of the archive, the surest first: a plain `/debian`, then the usual deeper places, then the rest, such as those
 * below a cache's own address. Security updates are elsewhere, and other components are a third party's.
 */
function archivesOf(sources: readonly Source[], files: OthersFiles): OfApt {
  const found = sources.filter(({ components }) => components.includes('main'));
  const urls: { url: string; rank: number }[] = [];
  const others: string[] = [];
  for (const url of found.flatMap((source) => listed(source.url, files))) {
    const fault = faultOf(url);
    const path = URL.canParse(url) ? withoutSlash(new URL(url).pathname) : '';
    if (!/(^|\/)debian(\/|$)/.test(path) && !url.startsWith('mirror+')) continue;
    if (fault !== undefined) others.push(`${withoutLogin(url)} ${fault}`);
    else urls.push({ url: withoutSlash(url), rank: ranks.findIndex((each) => each.test(path)) });
  }
  urls.sort((one, other) => one.rank - other.rank);
  return { urls: unique(urls.map(({ url }) => url)), others: unique(others) };
}

const ranks = [/^\/debian$/, /^\/(pub|linux|mirrors?)\/(.*\/)?debian$/, /^/];

function faultOf(url: string): string | undefined {
  if (!/^https?:/.test(url)) return 'is neither http nor https';
  return hasLogin(url) ? 'requires a login' : undefined;
}

/** `mirror+file:` names a file with an address a line (apt-transport-mirror(1)); of all others there is one. */
function listed(url: string, { read }: OthersFiles): string[] {
  const [, path] = /^mirror\+file:(?:\/\/)?(\/.*)$/.exec(url) ?? [];
  const text = path === undefined ? undefined : read(path);
  if (text === undefined) return [url];
  return text.split('\n').flatMap((line) => /^[^#\s]\S*/.exec(line)?.slice(0, 1) ?? []);
}

/** An address with a login in it is a secret. */
export const hasLogin = (url: string): boolean => {
  const { username, password } = new URL(url);
  return username !== '' || password !== '';
};

/** What may be shown of an address, be it one or not. */
const withoutLogin = (url: string): string => url.replace(/\/\/.*@/, '//');

const unique = (all: readonly string[]): readonly string[] => [...new Set(all)];

const words = (text: string | undefined): string[] =>
  (text ?? '').split(/\s+/).filter((word) => word !== '');

/** As {@link Mirror} has it. */
export const withoutSlash = (url: string): string => url.replace(/\/+$/, '');
