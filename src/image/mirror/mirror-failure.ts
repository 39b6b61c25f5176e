/** What can be the matter with a mirror, or with the way to it, in words. No secret is in any of them: no address here has a login. */
import { asSentence } from '../../system/advice.ts';
import { Exit, Failed, errorCode, type Failure } from '../../system/failure.ts';
import { usualReasons } from '../../system/files/reasons.ts';
import { Passing } from '../http/retry.ts';

const anotherMirror = 'Use another mirror with --mirror URL.';
const keptSoFar =
  'What was downloaded is kept. Run the same command again, or use another mirror with --mirror URL.';

const unavailable = (kind: string, message: string, hint: string): Failure => ({
  kind,
  message,
  hint,
  exit: Exit.unavailable,
});

/** Of HTTP (RFC 9110, 6585): the server says that it is not for good. */
const passing = new Set([408, 425, 429, 500, 502, 503, 504]);

/** An answer that is no file. `waitMs`: what its Retry-After says. */
export function answered(url: string, status: number, waitMs = 0): Failed {
  if (status === 404 || status === 410)
    return new Failed(unavailable('not-on-mirror', `${url} does not exist.`, anotherMirror));
  const asked = waitMs > 0 ? ` and asked to wait ${Math.ceil(waitMs / 1000)} s` : '';
  const failure = unavailable(
    'mirror-refused',
    `${url} answered ${status}${asked}.`,
    anotherMirror,
  );
  if (!passing.has(status)) return new Failed(failure);
  return new Passing({ ...failure, hint: keptSoFar }, { waitMs });
}

/** `why`: what the mirror answered, after its address. */
export const refused = (url: string, why: string): Failed =>
  new Failed(unavailable('mirror-refused', `${url} ${why}.`, anotherMirror));

/** A page for people where a file was asked for. */
export const isPage = (url: string): Failed =>
  new Failed(
    unavailable(
      'mirror-refused',
      `${url} is a web page instead of the requested file.`,
      'Networks that require a login do this: open any page in a browser. Or use another mirror with --mirror URL.',
    ),
  );

/** A mirror must not have us ask this network's own machines. */
export const sentTooNear = (from: string, to: string): Failed =>
  new Failed(
    unavailable(
      'mirror-refused',
      `${from} redirects to ${to}, which is in a private network or on this machine, unlike the mirror itself.`,
      'Networks that require a login do this: open any page in a browser. Or use another mirror with --mirror URL.',
    ),
  );

/** May pass. `ms`: how long nothing came. */
export const stalled = (url: string, ms: number): Passing =>
  new Passing(
    unavailable(
      'download-stalled',
      `The download of ${url} stalled: nothing arrived for ${Math.round(ms / 1000)} s.`,
      keptSoFar,
    ),
  );

/** What ended a connection, or kept it from being made. */
export function unreachable(url: string, error: unknown, nowMs: number): Failed {
  const certificate = certificateFault(new URL(url).host, error, nowMs);
  if (certificate !== undefined)
    return new Failed(unavailable('mirror-unreachable', ...certificate), { cause: error });
  if (isWithoutTls(error))
    return new Failed(unavailable('mirror-unreachable', noTls(url), plainOrOther), {
      cause: error,
    });
  return new Passing(
    unavailable(
      'mirror-unreachable',
      `Cannot download ${url}: ${asSentence(reason(error))}`,
      'Check the network and run the same command again (what was downloaded is kept), or use another mirror with --mirror URL.',
    ),
    { cause: error },
  );
}

/** In words. A connection that was tried to several addresses fails with several reasons and no message of its own. */
export function reason(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return reason(error.errors[0]);
  const code = errorCode(error);
  const usual = code === undefined ? undefined : usualReasons[code];
  if (usual !== undefined) return usual;
  const said = ofOpenssl(error);
  if (said !== undefined) return `TLS failed (${said})`;
  return error instanceof Error ? error.message || (code ?? error.name) : String(error);
}

/** What OpenSSL says of its errors in a few words (Node's documentation of errors, "OpenSSL errors"). */
function ofOpenssl(error: unknown): string | undefined {
  const { reason: said } = error as { readonly reason?: unknown };
  const isOpenssl = /^(ERR_SSL_|EPROTO$)/.test(errorCode(error) ?? '');
  return isOpenssl && typeof said === 'string' ? said : undefined;
}

/** What OpenSSL takes an answer for that is none of TLS: text, mostly. */
const isWithoutTls = (error: unknown): boolean =>
  /^(wrong version number|packet length too long|http request)$/.test(ofOpenssl(error) ?? '');

const noTls = (url: string): string =>
  `Cannot download ${url}: the server does not use TLS on that port.`;
const plainOrOther =
  'If the mirror has no https, use its http address with --mirror URL; what is signed is checked all the same. Or use another mirror.';

/** Codes of Node's documentation of tls, "X509 certificate error codes". */
const unknownIssuer = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_UNTRUSTED',
  'INVALID_CA',
]);
/** The rest of them. */
const otherFault = /^(CERT_|CRL_|ERROR_IN_C|UNABLE_TO_|PATH_LENGTH_|INVALID_PURPOSE$)/;
const wrongName = new Set(['ERR_TLS_CERT_ALTNAME_INVALID', 'HOSTNAME_MISMATCH']);

function certificateFault(
  host: string,
  error: unknown,
  nowMs: number,
): [message: string, hint: string] | undefined {
  const code = errorCode(error);
  if (code === undefined) return undefined;
  const now = new Date(nowMs).toISOString().slice(0, 16).replace('T', ' ');
  const clock = `this machine's clock (${now} UTC)`;
  if (code === 'CERT_HAS_EXPIRED')
    return [
      `The certificate of ${host} has expired, or ${clock} is wrong.`,
      'Check the clock. If it is right, use another mirror with --mirror URL.',
    ];
  if (code === 'CERT_NOT_YET_VALID')
    return [`The certificate of ${host} is not valid yet, so ${clock} is wrong.`, 'Set the clock.'];
  if (wrongName.has(code))
    return [
      `The certificate of ${host} is for another host: the mirror has another name, or another server answers in its place.`,
      anotherMirror,
    ];
  if (unknownIssuer.has(code))
    return [
      `The certificate of ${host} was issued by an authority that this machine does not trust.`,
      "If the authority is your network's own, add its certificate to the system's (update-ca-certificates on Debian, the System keychain on macOS), or set SSL_CERT_FILE to its file.",
    ];
  if (otherFault.test(code))
    return [
      `The certificate of ${host} is not accepted: ${asSentence(reason(error))}`,
      anotherMirror,
    ];
  return undefined;
}
