import { once } from 'node:events';
import { createServer } from 'node:net';

/** Files that run side by side have ranges of their own. */
const rangeSize = 400;
const range = 25_000 + (Number(process.env['VITEST_POOL_ID'] ?? '0') % 16) * rangeSize;

/**
 * A port that nobody listens on now. None of those that Linux (from 32768 on) and macOS (from 49152 on) give to whoever asks for
 * any: such a one could be somebody else's by the time that it is used.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = range + Math.floor(Math.random() * rangeSize);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}
