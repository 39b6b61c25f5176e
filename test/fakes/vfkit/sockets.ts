/** vfkit's unix sockets: the REST server's URI, and the file that a vsock URL comes to. */
import { longestSocket } from './devices.ts';
import { escapedPath, parseRequestUri, unescape } from './go-words.ts';

export type Rest =
  | { readonly kind: 'off' }
  /** A server with nothing to run, which is fatal. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** Where the REST server listens, or vfkit's words (pkg/rest/rest.go). */
export function restOf(text: string): Rest | string {
  const parsed = parseRequestUri(text);
  if ('says' in parsed) return parsed.says;
  const { scheme, host, path } = parsed.value;
  switch (scheme) {
    case 'none':
      return text === 'none://' ? { kind: 'off' } : { kind: 'nothing' };
    case 'unix':
      if (host !== '') return `invalid unix uri: host is forbidden`;
      if (path === '') return `invalid unix uri: missing path`;
      if (Buffer.byteLength(path) > longestSocket)
        return `invalid unix uri: socket path length exceeds macOS limits`;
      return { kind: 'unix', path };
    case 'tcp':
    case 'http': {
      const [, name = '', port] = /^(.*?)(?::(\d+))?$/.exec(host) ?? [];
      if (name === '' && port === undefined) return 'invalid tcp uri: missing host';
      if (port === undefined) return 'invalid tcp uri: missing port';
      if (path !== '') return 'invalid tcp uri: path is forbidden';
      return { kind: 'tcp', host: name, port: Number(port) };
    }
    default:
      return `invalid scheme ${scheme}`;
  }
}

/**
 * The file of a vsock socket that vfkit makes (`connect`), where it can: it takes the text for a part of a URL and escapes it. Or
 * why it cannot, which is a warning; the VM runs on without it.
 */
export function connectPath(text: string): { readonly path: string } | string {
  const [cut = ''] = text.split(/[#?]/);
  const escaped = escapedPath(cut);
  if ('says' in escaped) return `parse "unix://:${text}": ${escaped.says}`;
  if (!/^(unix:\/\/)?\//.test(escaped.value)) return `listen unix: missing address`;
  const path = escaped.value.replace(/^unix:/, '');
  if (Buffer.byteLength(path) > longestSocket) return `listen unix ${path}: bind: invalid argument`;
  return { path };
}

/** The file of a vsock socket that somebody else made (`listen`), or why none is dialled. */
export function listenPath(text: string): { readonly path: string } | string {
  const [cut = ''] = text.split(/[#?]/);
  const path = unescape(cut);
  if ('says' in path) return `parse "unix:${text}": ${path.says}`;
  return path.value.startsWith('/') ? { path: path.value } : 'dial unix: missing address';
}
