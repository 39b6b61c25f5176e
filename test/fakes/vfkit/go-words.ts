/** Go's ways to read numbers, booleans, MAC addresses and URIs, and the words in which it refuses them. */

/** The number, or Go's words. */
export type Read<T> = { readonly value: T } | { readonly says: string };

const digitsOf: Readonly<Record<string, RegExp>> = {
  2: /^[01]+$/,
  8: /^[0-7]+$/,
  10: /^[0-9]+$/,
  16: /^[0-9a-f]+$/i,
};

/** strconv.ParseUint; base 0 takes 0x, 0o, 0b, a leading 0 and underscores between digits. */
export function parseUint(text: string, base: 0 | 10, bits: 32 | 64): Read<number> {
  const says = (why: string) => ({ says: `strconv.ParseUint: parsing ${quote(text)}: ${why}` });
  const [radix, written] = base === 10 ? ([10, text] as const) : prefixed(text);
  const digits = base === 0 ? withoutUnderscores(written, radix, text) : written;
  if (digits === undefined || digitsOf[radix]?.test(digits) !== true) return says('invalid syntax');
  const prefix = { 2: '0b', 8: '0o', 10: '', 16: '0x' }[radix];
  const value = BigInt(`${prefix}${digits}`);
  return value >= 1n << BigInt(bits) ? says('value out of range') : { value: Number(value) };
}

function prefixed(text: string): readonly [2 | 8 | 10 | 16, string] {
  if (/^0x/i.test(text)) return [16, text.slice(2)];
  if (/^0b/i.test(text)) return [2, text.slice(2)];
  if (/^0o/i.test(text)) return [8, text.slice(2)];
  return /^0./.test(text) ? [8, text.slice(1)] : [10, text];
}

/** One between digits, or between the prefix and the first digit. */
function withoutUnderscores(digits: string, radix: number, text: string): string | undefined {
  const body = radix === 10 ? text : `0${digits}`;
  if (/__|_$|^_/.test(body)) return undefined;
  return digits.replaceAll('_', '');
}

export function parseBool(text: string): Read<boolean> {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return { value: true };
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return { value: false };
  return { says: `strconv.ParseBool: parsing ${quote(text)}: invalid syntax` };
}

/** net.ParseMAC: 6, 8 or 20 bytes, in pairs with colons or dashes, or in fours with dots. As pairs with colons. */
export function parseMac(text: string): Read<string> {
  const pair = /^[0-9a-f]{2}$/i;
  const forms = [
    { parts: text.split(':'), one: pair, bytes: 1 },
    { parts: text.split('-'), one: pair, bytes: 1 },
    { parts: text.split('.'), one: /^[0-9a-f]{4}$/i, bytes: 2 },
  ];
  const form = forms.find(
    ({ parts, one, bytes }) =>
      [6, 8, 20].includes(parts.length * bytes) && parts.every((part) => one.test(part)),
  );
  if (form === undefined) return { says: `address ${text}: invalid MAC address` };
  const hex = form.parts.join('').toLowerCase();
  return { value: (hex.match(/../g) ?? []).join(':') };
}

export interface Uri {
  readonly scheme: string;
  readonly host: string;
  /** Percent-decoded. */
  readonly path: string;
}

/** url.ParseRequestURI: keeps `#`, cuts at `?`. */
export function parseRequestUri(text: string): Read<Uri> {
  const says = (why: string) => ({ says: `parse ${quote(text)}: ${why}` });
  if (text === '') return says('empty url');
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(text) ?? [];
  if (scheme === '' && !text.startsWith('/')) return says('invalid URI for request');
  const [body = ''] = (scheme === '' ? text : rest).split('?');
  const [, host = '', written = ''] = /^\/\/([^/]*)(.*)$/s.exec(body) ?? ['', '', body];
  // A path without a root is opaque, and no path.
  const path = unescape(written.startsWith('/') ? written : '');
  if ('says' in path) return says(path.says);
  return { value: { scheme: scheme.toLowerCase(), host, path: path.value } };
}

/** Percent-decoding as url.PathUnescape has it. */
export function unescape(text: string): Read<string> {
  const bad = /%(?![0-9a-f]{2}).{0,2}/is.exec(text);
  if (bad !== null) return { says: `invalid URL escape ${quote(bad[0])}` };
  const parts = [...text.matchAll(/%([0-9a-f]{2})|[^%]+/gi)].map(
    ([all, hex]: readonly (string | undefined)[]) =>
      hex === undefined ? Buffer.from(all ?? '') : Buffer.from(hex, 'hex'),
  );
  return { value: Buffer.concat(parts).toString('utf8') };
}

/** url.URL.EscapedPath: what it was given, if that could stand in a URL; else escaped. */
export function escapedPath(path: string): Read<string> {
  const decoded = unescape(path);
  if ('says' in decoded) return decoded;
  if (/^[A-Za-z0-9!$&'()*+,;=:@[\]\-._~%/]*$/.test(path)) return { value: path };
  const escape = (byte: number) =>
    /[A-Za-z0-9\-_.~$&+,/:;=@]/.test(String.fromCharCode(byte))
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return { value: [...Buffer.from(decoded.value)].map(escape).join('') };
}

/** Go's %q of a text that is nothing odd. */
export const quote = (text: string): string => JSON.stringify(text);
