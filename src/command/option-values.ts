/** What the words of options have to be, for commander, which names the option and shows what is wrong with its word. */
import { InvalidArgumentError } from 'commander';

/** A number of seconds above 0. */
export function seconds(word: string): number {
  const number = Number(word);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new InvalidArgumentError('It must be a number of seconds above 0.');
}

/** A whole number that is not below that. */
export const wholeFrom =
  (least: number) =>
  (word: string): number => {
    const number = Number(word);
    if (word.trim() !== '' && Number.isSafeInteger(number) && number >= least) return number;
    throw new InvalidArgumentError(`It must be a whole number, ${least} or more.`);
  };
