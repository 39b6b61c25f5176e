/** Two connections made one. */
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream';

/** How a spliced pair ended: `reset` names the first error of either end. */
export type SpliceEnd =
  { readonly kind: 'finished' } | { readonly kind: 'reset'; readonly why: string };

/**
 * Carries bytes both ways until both ends have ended. Each half closes by itself (both sockets must be allowHalfOpen), a
 * slow end slows the other, an error of one end destroys both. Settles once, never rejects.
 */
export async function splice(client: Socket, guest: Socket): Promise<SpliceEnd> {
  let why: string | undefined;
  const carry = (from: Socket, to: Socket, name: string) =>
    new Promise<void>((resolve) => {
      pipeline(from, to, (error) => {
        if (error) why ??= `${name}: ${error.message}`;
        resolve();
      });
    });
  await Promise.all([
    carry(client, guest, 'client to guest'),
    carry(guest, client, 'guest to client'),
  ]);
  return why === undefined ? { kind: 'finished' } : { kind: 'reset', why };
}
