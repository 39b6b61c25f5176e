/** Two connections made one. */
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { pipeline as pipelined } from 'node:stream/promises';
import { refusal } from '../system/files/reasons.ts';
import type { Clock } from '../system/time/clock.ts';

/** How a spliced pair ended: `reset` names the first error of either end. */
export type SpliceEnd =
  { readonly kind: 'finished' } | { readonly kind: 'reset'; readonly why: string };

interface SpliceOptions {
  readonly clock: Clock;
  /** For a guest's end that is cut off some time after our half was ended: that half is ended when the guest has been silent for so long. */
  readonly silenceMs?: number | undefined;
}

/** After the guest's end a client has so long for its own: ssh ends at once, and one that never does would be there for ever. */
const clientMs = 10_000;
const toGuest = 'client to guest';

/**
 * Carries bytes both ways until both ends have ended. Each half closes by itself (both sockets must be allowHalfOpen), a
 * slow end slows the other, an error of one end destroys both. Settles once, never rejects.
 */
export async function splice(
  client: Socket,
  guest: Socket,
  { clock, silenceMs }: SpliceOptions,
): Promise<SpliceEnd> {
  let why: string | undefined;
  const carry = (from: Socket, to: Socket, name: string) =>
    new Promise<void>((resolve) => {
      pipeline(from, to, (error) => {
        if (error) why ??= `${name}: ${refusal(error)}`;
        resolve();
      });
    });
  const there =
    silenceMs === undefined
      ? carry(client, guest, toGuest)
      : carryLate(client, guest, { clock, silenceMs }).catch((error: unknown) => {
          why ??= `${toGuest}: ${refusal(error)}`;
          guest.destroy();
        });
  await carry(guest, client, 'guest to client');
  const cancel = clock.after(clientMs, () => client.destroy());
  await there;
  cancel();
  return why === undefined ? { kind: 'finished' } : { kind: 'reset', why };
}

/** The way to the guest, with its end put off until the guest has said nothing for silenceMs, or has ended too. */
async function carryLate(
  client: Socket,
  guest: Socket,
  { clock, silenceMs }: { readonly clock: Clock; readonly silenceMs: number },
) {
  await pipelined(client, guest, { end: false });
  const over = new AbortController();
  const onOver = () => over.abort();
  guest.once('end', onOver).once('close', onOver);
  if (guest.readableEnded || guest.destroyed) onOver();
  for (let heard = -1; !over.signal.aborted && heard !== guest.bytesRead;) {
    heard = guest.bytesRead;
    await clock.sleep(silenceMs, over.signal).catch(() => undefined);
  }
  guest.off('end', onOver).off('close', onOver).end();
}
