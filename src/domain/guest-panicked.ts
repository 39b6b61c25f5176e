/** The guest's kernel says that it cannot go on, whoever hears of it: its console, or the program that runs it. */
import { advice, ours } from '../system/advice.ts';
import { Exit, type Failure } from '../system/failure.ts';
import { inMarks } from '../system/plain-text.ts';

/** `text`: the kernel's line; absent where it is not known. `lines`: the console's last ones. */
export const guestPanicked = (text?: string, lines?: readonly string[]): Failure => ({
  kind: 'guest-panicked',
  message: `The guest's kernel panicked${text === undefined ? '' : `: ${inMarks(text) ?? '""'}`}.`,
  hint: advice`See the guest's last lines: ${ours('console')}`,
  exit: Exit.unavailable,
  blames: 'image',
  deaf: 'frozen',
  isIncident: true,
  ...(lines && { lines }),
});
