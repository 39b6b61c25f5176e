/** `1 CPU`, `2 CPUs`: a number with the noun that it counts. */
/** Only for nouns that take an s. */
export const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`;
