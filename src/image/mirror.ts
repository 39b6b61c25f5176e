/** Where the packages come from: the mirror that this machine uses already, or an official one. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Exit, Failed } from '../system/failure.ts';
import { readIfThere } from '../system/files.ts';
import { paragraphs } from './control.ts';

export const defaultMirror = 'http://ftp.debian.org/debian';

export interface Mirror {
  /** Without a final slash; `dists/` and `pool/` are below it. */
  readonly url: string;
  readonly from: 'option' | 'apt sources' | 'default';
}

/** `chosen` if given, else the Debian archive in the apt sources below `etc`, else the default. */
export function findMirror(chosen: string | undefined, etc = '/etc/apt'): Mirror {
  if (chosen !== undefined) return { url: checkMirror(chosen), from: 'option' };
  const url = archiveOf(
    aptSources(etc).flatMap(({ name, text }) =>
      name.endsWith('.sources') ? deb822Sources(text) : listSources(text),
    ),
  );
  return url === undefined
    ? { url: defaultMirror, from: 'default' }
    : { url: withoutSlash(url), from: 'apt sources' };
}

function checkMirror(chosen: string): string {
  if (/^https?:\/\/[^\s/]+/.test(chosen) && URL.canParse(chosen)) return withoutSlash(chosen);
  throw new Failed({
    kind: 'mirror-invalid',
    message: `${JSON.stringify(chosen)} is not the address of a mirror.`,
    hint: `Give one like ${defaultMirror}: http or https, with dists/ and pool/ below it.`,
    exit: Exit.usage,
  });
}

/** apt's own order: sources.list first, then the directory's files by name. */
function aptSources(etc: string): { name: string; text: string }[] {
  const directory = join(etc, 'sources.list.d');
  const names = filesIn(directory).filter((name) => /\.(list|sources)$/.test(name));
  return [join(etc, 'sources.list'), ...names.sort().map((name) => join(directory, name))].flatMap(
    (name) => {
      const text = readIfThere(name);
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
export function listSources(text: string): Source[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s+\S+\s+([^#]*)/.exec(line);
    const [, url, components] = match ?? [];
    return url === undefined ? [] : [{ url, components: words(components) }];
  });
}

/** Paragraphs of deb822 format that are enabled and hold binary packages. */
export function deb822Sources(text: string): Source[] {
  return [...paragraphs(text)]
    .filter((each) => each.get('enabled')?.toLowerCase() !== 'no')
    .filter((each) => words(each.get('types')).includes('deb'))
    .flatMap((each) =>
      words(each.get('uris')).map((url) => ({ url, components: words(each.get('components')) })),
    );
}

/**
 * The archive's own mirror, not security updates and not a third party's: those have other paths or other components
 * (`/linux/debian` with `stable`, `/apt` with `main`). A plain `/debian` is the surest sign. The signature decides in the end.
 */
function archiveOf(sources: readonly Source[]): string | undefined {
  const paths = sources.flatMap(({ url, components }) => {
    if (!components.includes('main') || !URL.canParse(url)) return [];
    const { protocol, pathname } = new URL(url);
    return /^https?:$/.test(protocol) ? [{ url, path: pathname.replace(/\/+$/, '') }] : [];
  });
  const exact = paths.find(({ path }) => path === '/debian');
  return (exact ?? paths.find(({ path }) => /^\/(pub|linux|mirrors?)\/(.*\/)?debian$/.test(path)))
    ?.url;
}

const words = (text: string | undefined): string[] =>
  (text ?? '').split(/\s+/).filter((word) => word !== '');

const withoutSlash = (url: string): string => url.replace(/\/+$/, '');
