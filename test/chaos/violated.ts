import type { Check } from './tally.ts';

/** What must hold does not. */
export class Violated extends Error {
  readonly check: Check;

  constructor(check: Check, message: string) {
    super(message);
    this.check = check;
  }
}
