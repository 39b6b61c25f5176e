/** A text of the product, with commands in it or without, that has these words in it: for what is compared as a whole. */
import { Advice, plainly } from '../../src/system/advice.ts';

export const saying = (words: string | RegExp) => ({
  $$typeof: Symbol.for('jest.asymmetricMatcher'),
  asymmetricMatch(said: unknown): boolean {
    if (typeof said !== 'string' && !(said instanceof Advice)) return false;
    const text = plainly(said);
    return typeof words === 'string' ? text.includes(words) : words.test(text);
  },
  toString: () => 'saying',
  toAsymmetricMatcher: () => `saying<${String(words)}>`,
});
