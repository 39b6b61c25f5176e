/**
 * A connection to that of a host's addresses which answers first (RFC 8305). Node's own way (autoSelectFamily) ends each attempt after a
 * quarter of a second, and never reaches an address that is slow where the others are dead. Knows undici.
 */
import { lookup as systemLookup, type LookupAddress, type LookupOptions } from 'node:dns';
import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { buildConnector } from 'undici';
import { systemClock, type Clock } from '../../system/time/clock.ts';

/** RFC 8305, 8: so long an address is waited for alone before the next is tried beside it. */
const headStartMs = 250;
/** As undici has it. */
const keepAliveMs = 60_000;

/** How a host is reached. */
export interface ConnectionOptions {
  /** Certificates in PEM, for https. */
  readonly ca?: string[];
  /** The system's when left out. */
  readonly lookup?: LookupFunction;
  readonly clock?: Clock;
}

/** How long silence may last is the caller's affair. */
export function firstToAnswer(options: ConnectionOptions): buildConnector.connector {
  const { ca, lookup = systemLookup, clock = systemClock } = options;
  const secure = buildConnector({ timeout: 0, ...(ca && { ca }) });
  return (wanted, callback) => {
    const { hostname, protocol } = wanted;
    const isSecure = protocol === 'https:';
    const port = Number(wanted.port || (isSecure ? 443 : 80));
    addressesOf(hostname, lookup, (error, addresses) => {
      if (error !== null) return callback(error, null);
      race({ addresses, port, clock }, (failed, socket) => {
        if (socket === undefined) callback(failed, null);
        else if (isSecure) secure({ ...wanted, httpSocket: socket }, callback);
        else callback(null, socket);
      });
    });
  };
}

function addressesOf(
  hostname: string,
  lookup: LookupFunction,
  done: (error: Error | null, found: LookupAddress[]) => void,
): void {
  const family = isIP(hostname);
  if (family !== 0) return done(null, [{ address: hostname, family }]);
  const all: LookupOptions = { all: true };
  lookup(hostname, all, (error, found) =>
    done(error, Array.isArray(found) ? inTurn(found) : [{ address: found, family: isIP(found) }]),
  );
}

/** Of both families by turns, the first one's first (RFC 8305, 4). */
function inTurn(found: readonly LookupAddress[]): LookupAddress[] {
  const [first, second] = [true, false].map((isFirst) =>
    found.filter(({ family }) => (family === found[0]?.family) === isFirst),
  );
  return found.flatMap((_, n) => [first?.[n] ?? [], second?.[n] ?? []].flat());
}

interface Course {
  readonly addresses: readonly LookupAddress[];
  readonly port: number;
  readonly clock: Clock;
}

/** Begins with the next address when the last has failed, or has had its time; that goes on all the same. Those that come later are ended. */
function race(
  { addresses, port, clock }: Course,
  done: (...outcome: [null, Socket] | [Error, undefined]) => void,
): void {
  const waiting = [...addresses];
  const attempts = new Set<Socket>();
  const errors: Error[] = [];
  let isOver = false;
  let cancel: () => void = () => undefined;
  const begin = () => {
    cancel();
    const next = waiting.shift();
    if (next === undefined) return;
    const socket = connect({ host: next.address, port });
    socket.setNoDelay(true).setKeepAlive(true, keepAliveMs);
    attempts.add(socket);
    socket.on('connect', () => win(socket)).on('error', (error) => fail(socket, error));
    if (waiting.length > 0) cancel = clock.after(headStartMs, begin);
  };
  const win = (winner: Socket) => {
    isOver = true;
    cancel();
    for (const each of attempts) if (each !== winner) each.destroy();
    done(null, winner);
  };
  const fail = (loser: Socket, error: Error) => {
    // What becomes of the winner is for whoever has it now.
    if (isOver) return;
    attempts.delete(loser);
    errors.push(error);
    if (waiting.length > 0) begin();
    else if (attempts.size === 0)
      done(errors.length === 1 ? error : new AggregateError(errors), undefined);
  };
  begin();
}
