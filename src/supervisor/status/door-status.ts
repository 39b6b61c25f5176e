/** What is told of the front door. */
import { advice, joinTexts, ours, type Text } from '../../system/advice.ts';

/** As the daemon tells it. */
export interface DoorStatus {
  /** Of 127.0.0.1, where the door is one; else its Unix socket. */
  readonly port?: number;
  readonly socket?: string;
  /** Somebody waits for the connections to end, to stop it. */
  readonly draining: boolean;
  /** New connections are sent off, until told otherwise. */
  readonly refusing?: true;
  /** Why nobody gets to it, and what helps, in sentences. */
  readonly trouble?: Text;
}

/** For a sentence. */
export const whereOf = ({ port, socket }: DoorStatus): string =>
  socket ?? `127.0.0.1:${port ?? '?'}`;

/** What keeps new connections out; empty where nothing does. */
export const doorNotes = ({ refusing, trouble }: DoorStatus): Text =>
  joinTexts(
    [
      refusing === true
        ? advice`; new connections are refused until you run ${ours('undrain')}`
        : '',
      trouble === undefined ? '' : advice`; no client can reach it: ${trouble}`,
    ],
    '',
  );
