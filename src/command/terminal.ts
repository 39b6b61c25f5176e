/** How a line of ours reaches a terminal: first without what a terminal would obey, then with what we want it to obey. Pure. */
import { styleText } from 'node:util';
import { terminalText } from '../system/plain-text.ts';

type Color = 'green' | 'yellow' | 'red';

/** How a line is shown. Colours and movements come from here alone: in the line itself they would be dropped. */
export interface Look {
  readonly color?: Color | undefined;
  /** Of the coloured beginning, in UTF-16 units; by default the whole line. */
  readonly length?: number;
  /** The text takes the place of all that the terminal shows. */
  readonly over?: boolean;
}

/** What is written for a line, without its end; it may have line ends of its own. */
export function shownLine(line: string, { color, length = line.length, over }: Look = {}): string {
  const [head, rest] = [terminalText(line.slice(0, length)), terminalText(line.slice(length))];
  // Whether a terminal takes colours is known to whoever asks for one.
  const shown = color === undefined ? head : styleText(color, head, { validateStream: false });
  const text = `${shown}${rest}`;
  // Home, then each line to its end, then what is left of the old screen.
  return over === true ? `\u001b[H${text.replaceAll('\n', '\u001b[K\n')}\u001b[K\u001b[J` : text;
}
