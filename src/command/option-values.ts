/** What the words of options have to be, for commander, which names the option and shows what is wrong with its word. */
import { statSync, type Stats } from 'node:fs';
import { resolve } from 'node:path';
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

/** The path of something. Without this check, an empty one would be taken for the working directory. */
export function notEmpty(word: string): string {
  if (word !== '') return word;
  throw new InvalidArgumentError('It must not be empty.');
}

/** A file to write whole: no stream, no device and no directory. */
export function fileToWrite(word: string): string {
  const isFree = (there: Stats | undefined) => there === undefined || there.isFile();
  const isSystems = /^\/(dev|proc)\//.test(resolve(word));
  if (word !== '' && word !== '-' && !isSystems && isFree(lookAt(word))) return word;
  throw new InvalidArgumentError('It must be the name of a file to write, such as report.txt.');
}

/** Undefined where it cannot be looked at, too: who writes it says why. */
function lookAt(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
