/** Debian's order of version numbers: deb-version(7), "Sorting algorithm". */

/** Negative when a is older than b, 0 when they are equal, positive when a is newer. */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [partsOf(a), partsOf(b)];
  return (
    x.epoch - y.epoch ||
    compareParts(x.upstream, y.upstream) ||
    compareParts(x.revision, y.revision)
  );
}

function partsOf(version: string) {
  const colon = version.indexOf(':');
  const rest = version.slice(colon + 1);
  const dash = rest.lastIndexOf('-');
  return {
    epoch: epochOf(version.slice(0, Math.max(0, colon))),
    upstream: dash < 0 ? rest : rest.slice(0, dash),
    revision: dash < 0 ? '' : rest.slice(dash + 1),
  };
}

/** An epoch that is no number counts as none: nothing is to be neither older, equal nor newer. */
const epochOf = (text: string): number => (/^\d{1,9}$/.test(text) ? Number(text) : 0);

/** Runs of other characters and runs of digits by turns, the first difference decides. */
function compareParts(a: string, b: string): number {
  for (let [x, y] = [a, b]; x !== '' || y !== '';) {
    const [wordX, wordY] = [leading(x, /^\D*/), leading(y, /^\D*/)];
    const words = compareWords(wordX, wordY);
    if (words !== 0) return words;
    [x, y] = [x.slice(wordX.length), y.slice(wordY.length)];
    const [digitsX, digitsY] = [leading(x, /^\d*/), leading(y, /^\d*/)];
    const numbers = compareNumbers(digitsX, digitsY);
    if (numbers !== 0) return numbers;
    [x, y] = [x.slice(digitsX.length), y.slice(digitsY.length)];
  }
  return 0;
}

function compareWords(a: string, b: string): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = weightOf(a[i]) - weightOf(b[i]);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** By length first, so that no number is too large. */
function compareNumbers(a: string, b: string): number {
  const [x, y] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  return x.length - y.length || (x < y ? -1 : x > y ? 1 : 0);
}

/** A tilde sorts before the end, the end before letters, letters before everything else. */
function weightOf(character: string | undefined): number {
  if (character === undefined) return 0;
  if (character === '~') return -1;
  const code = character.charCodeAt(0);
  return /[A-Za-z]/.test(character) ? code : code + 256;
}

const leading = (text: string, pattern: RegExp): string => pattern.exec(text)?.[0] ?? '';
