/** A proxy between us and a host: its login, its tunnel for https, and what can be the matter with it. Knows undici. */
import { Client, buildConnector } from 'undici';
import { asSentence } from '../../system/advice.ts';
import { Exit, Failed } from '../../system/failure.ts';
import { reason } from '../mirror/mirror-failure.ts';
import { firstToAnswer, type ConnectionOptions } from './first-to-answer.ts';
import type { Proxy } from './proxy.ts';
import { Passing } from './retry.ts';

/** The header for it; none where there is no login. */
export const loginOf = ({ login }: Proxy): Record<string, string> =>
  login === undefined ? {} : { 'proxy-authorization': login };

/** Connects by CONNECT (RFC 9110, 9.3.6), and speaks TLS with the host through that. */
export function tunnelThrough(
  proxy: Proxy,
  connection: ConnectionOptions,
): buildConnector.connector {
  const { ca } = connection;
  // How long silence may last is the caller's affair, who has the clock.
  const secure = buildConnector({ timeout: 0, ...(ca && { ca }) });
  const connect = firstToAnswer(connection);
  return (options, callback) => {
    const client = new Client(proxy.url, { connect, headersTimeout: 0 });
    const host = options.host ?? options.hostname;
    const path = options.port === '' ? `${host}:443` : host;
    client
      .connect({ path, headers: { host: path, ...loginOf(proxy) } })
      .then(({ statusCode, socket }) => {
        if (statusCode >= 200 && statusCode < 300)
          // It is a TCP connection, which undici calls by what it can do.
          return secure({ ...options, httpSocket: socket as never }, callback);
        socket.on('error', () => undefined).destroy();
        callback(proxyRefused(proxy, statusCode), null);
      })
      .catch((error: unknown) => callback(proxyUnreachable(proxy, error), null));
  };
}

/** `status`: its answer to CONNECT. */
export function proxyRefused(proxy: Proxy, status: number): Failed {
  const what = `The proxy ${proxy.url.origin} (from ${proxy.from})`;
  const failure = {
    kind: 'proxy-refused',
    message:
      status === 407 ? `${what} requires a login (407).` : `${what} answered ${status} to CONNECT.`,
    hint:
      status === 407
        ? `Add it to the address: http://USER:PASSWORD@${proxy.url.host}`
        : 'Use another proxy, or another mirror with --mirror URL.',
    exit: Exit.unavailable,
  };
  return status >= 500 ? new Passing(failure) : new Failed(failure);
}

/** May pass, unless it is a failure already, which is told as it is. */
export const proxyUnreachable = (proxy: Proxy, error: unknown): Failed =>
  error instanceof Failed
    ? error
    : new Passing(
        {
          kind: 'proxy-unreachable',
          message: `Cannot reach the proxy ${proxy.url.origin} (from ${proxy.from}): ${asSentence(reason(error))}`,
          hint: 'Correct or unset it, or list this mirror in no_proxy.',
          exit: Exit.unavailable,
        },
        { cause: error },
      );
