/** Words as a POSIX shell takes them. */

/** In quotes, whatever it is. */
export const quotedWord = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** In quotes where it needs them: for what a person reads. zsh has a meaning for a = that comes first. */
export const shellWord = (word: string): string =>
  /^[\w@%+:,./-][\w@%+=:,./-]*$/.test(word) ? word : quotedWord(word);
