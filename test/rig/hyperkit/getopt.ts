/** getopt(3) as BSD has it: letters with and without an argument, in one word or two; stops at the first word that is none. */
export type Option = { readonly letter: string; readonly value?: string };

/** hyperkit.c, L872. -Y is documented as a flag, but here it eats the next word. */
const letters = 'behvuwxMACHPWY:f:F:g:c:s:m:l:U:';

/** The options, or the first letter that is none or that lacks its argument. */
export function getopt(
  argv: readonly string[],
): { readonly options: readonly Option[] } | { readonly bad: string } {
  const options: Option[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? '';
    if (!word.startsWith('-') || word === '-' || word === '--') break;
    for (let n = 1; n < word.length; n++) {
      const letter = word[n] ?? '';
      const index = letters.indexOf(letter);
      if (index < 0 || letter === ':') return { bad: letter };
      if (letters[index + 1] !== ':') {
        options.push({ letter });
        continue;
      }
      const value = word.length > n + 1 ? word.slice(n + 1) : argv[++at];
      if (value === undefined) return { bad: letter };
      options.push({ letter, value });
      break;
    }
  }
  return { options };
}
