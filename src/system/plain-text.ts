/** Words that others wrote (a guest, a mirror, another user's process), made harmless for terminals and for status.json. Pure. */

/** A terminal's escape sequences (ECMA-48): CSI, OSC, other strings, and the short ones. */
const escapes =
  /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[PX^_][^\u001b]*(?:\u001b\\)?|[ -/]*[0-~])/g;

/** What a terminal obeys (C0, C1), and what is not seen but moves or hides what is: direction marks, zero widths, line separators. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** The same, without the line's end and tab that our own text has, and without the two joiners that Persian and Hindi are written with. */
const unfitForTerminals = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Foreign words on one line, as they may be shown and stored anywhere. To be called where words come in. */
export const plainText = (words: string): string =>
  words
    .replaceAll(escapes, '')
    .replaceAll(/[\t\n]/g, ' ')
    .replaceAll(unseen, '')
    .trimEnd();

/** Of foreign words no more than this is repeated in a sentence of ours. */
const mostCharacters = 200;

/** A foreign value as part of a sentence of ours: shortened; undefined when it is no words at all. Throws at nothing. */
export function quoted(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  // Cut first: the rest may be megabytes.
  const text = plainText(value.slice(0, 4 * mostCharacters)).trim();
  const shown = text.length > mostCharacters ? `${text.slice(0, mostCharacters)}...` : text;
  return shown === '' ? undefined : shown;
}

/** Words that somebody with root in the guest can have chosen, in a sentence of ours: between quotation marks, which none of them ends. */
export function inMarks(words: unknown): string | undefined {
  const said = quoted(words)
    ?.replaceAll('"', "'")
    .replace(/(?<!\.)\.$/, '');
  return said === undefined ? undefined : `"${said}"`;
}

/** Text of ours as it may go to a terminal, whatever foreign words got into it. To be called where text goes out. */
export const terminalText = (text: string): string =>
  text.replaceAll(escapes, '').replaceAll(unfitForTerminals, '');

/** For JSON.stringify: a record of ours that other programs show, whatever foreign words got into its strings. */
export const harmless = (_name: string, value: unknown): unknown =>
  typeof value === 'string' ? terminalText(value) : value;
