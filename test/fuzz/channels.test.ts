/** Sockets whose other end says anything: no crash, nothing left hanging, an end within the time that is allowed. */
import { mkdtempSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from './fast-check.ts';
import { afterAll, describe, expect } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { GuestAgent } from '../../src/guest/agent/agent.ts';
import { gvproxy } from '../../src/net/gvproxy.ts';
import { decodeReply, encodeInit, shakeHands } from '../../src/net/handshake.ts';
import { Failed } from '../../src/system/failure.ts';
import { JsonLines } from '../../src/system/socket/json-lines.ts';
import { connectQmp } from '../../src/vm/qemu/qmp.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { hostileAnswers } from './hostile.ts';
import { anyBytes, chunked, garbled, holds, type Chunked } from './property.ts';
import { removeTree } from '../remove-tree.ts';

const dir = mkdtempSync(join(tmpdir(), 'fuzz-chan-'));
afterAll(() => removeTree(dir));
let number = 0;

/** A peer that says its pieces, one each time it hears something or time passes, and then ends, resets or stays. */
interface Script extends Chunked {
  readonly end: 'end' | 'reset' | 'stay';
}
const script = (bytes: fc.Arbitrary<Buffer>): fc.Arbitrary<Script> =>
  fc
    .tuple(chunked(bytes), fc.constantFrom('end' as const, 'reset' as const, 'stay' as const))
    .map(([said, end]) => ({ ...said, end }));

function peer({ chunks, end }: Script, path = join(dir, `s${number++}`)) {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    const left = [...chunks];
    const speak = () => {
      const chunk = left.shift();
      if (chunk !== undefined) socket.write(chunk);
      else if (end === 'end') socket.end();
      else if (end === 'reset') socket.destroy();
    };
    socket.on('data', speak);
    speak();
  });
  const close = () =>
    new Promise((resolve) => {
      for (const socket of sockets) socket.destroy();
      server.close(resolve);
    });
  return new Promise<{ path: string; close: () => Promise<unknown> }>((resolve) =>
    server.listen(path, () => resolve({ path, close })),
  );
}

/** Lets time pass until the work ends: with a value, or with a failure that has a name. Says how long it took. */
async function outcome(work: Promise<unknown>, clock: FakeClock): Promise<number> {
  const begun = clock.monotonic();
  let over = false;
  const ended = work
    .then(
      () => undefined,
      (error: unknown) => {
        if (!(error instanceof Failed)) throw error;
        expect(error.failure.hint).not.toBe('');
      },
    )
    .finally(() => (over = true));
  ended.catch(() => undefined);
  while (!over) await clock.advance(250);
  await ended;
  return clock.monotonic() - begun;
}

describe('JSON lines', () => {
  const lines = garbled(['{"a":1}\n[2]\r\n"x"\n', '\xff{"b":null}\n'], ['\xff', '{', '}', ',\n']);
  const read = (chunks: readonly Buffer[], maxLineBytes: number) => {
    const heard: unknown[] = [];
    // Only what it is told counts here, so the socket is an emitter.
    const listeners = new Map<string, (chunk: Buffer) => void>();
    const socket = {
      on: (name: string, listener: (chunk: Buffer) => void) => listeners.set(name, listener),
    };
    new JsonLines(socket as unknown as Socket, {
      onValue: (value) => heard.push(['value', value]),
      onBroken: (problem) => heard.push(['broken', problem]),
      onClosed: (why) => heard.push(['closed', why]),
      maxLineBytes,
    });
    for (const chunk of chunks) listeners.get('data')?.(chunk);
    listeners.get('end')?.(Buffer.alloc(0));
    listeners.get('close')?.(Buffer.alloc(0));
    return heard;
  };
  holds(
    'are the same however the bytes come',
    3000,
    fc.property(
      chunked(fc.oneof(lines, anyBytes())),
      fc.integer({ min: 1, max: 50 }),
      ({ whole, chunks }, max) => {
        const heard = read(chunks, max);
        expect(heard).toEqual(read([whole], max));
        expect(heard.at(-1)).toContain('closed');
      },
    ),
  );
});

describe('QEMU', () => {
  const greeting = '{"QMP":{"version":{},"capabilities":[]}}\n';
  const dialogue = `${greeting}{"return":{},"id":1}\n{"event":"STOP","data":{}}\n{"return":[],"id":2}\n`;
  const words = [
    '{"event":1}',
    '"id":2',
    '{"event":"SHUTDOWN","data":[]}\n',
    '{"error":null,"id":1}\n',
  ];
  const odd = hostileAnswers([
    '{"QMP":?}\n{"return":{},"id":1}\n',
    `${greeting}{"return":{},"id":1}\n{"error":?,"id":2}\n`,
    `${greeting}{"return":{},"id":1}\n{"error":{"desc":?},"id":2}\n`,
    `${greeting}{"error":?,"id":1}\n`,
    '{"event":"SHUTDOWN","data":{"reason":?}}\n{"event":"BLOCK_IO_ERROR","data":?}\n',
    '?\n',
  ]);
  holds(
    'that says anything is an answer or a failure, in time',
    60,
    fc.asyncProperty(
      script(fc.oneof(garbled([dialogue], words), anyBytes(), odd)),
      async (said) => {
        const clock = new FakeClock();
        const { path, close } = await peer(said);
        const { signal } = new AbortController();
        const work = connectQmp({ path, clock, signal, onEvent: () => undefined }).then(
          async (qmp) => {
            try {
              await qmp.execute('query-blockstats');
            } finally {
              qmp.close();
            }
          },
        );
        expect(await outcome(work, clock)).toBeLessThanOrEqual(30_500);
        expect(clock.pending).toBe(0);
        await close();
      },
    ),
  );
});

describe('the guest agent', () => {
  const words = ['\xff', '{"return":{}}\n', '{"error":{}}\n', '{"return":1e999}\n', '[]\n'];
  holds(
    'that says anything is an answer or a failure, in time',
    60,
    fc.asyncProperty(
      script(fc.oneof(garbled(['{"return": 5}\n{"return": {"pid":1}}\n'], words), anyBytes())),
      async (said) => {
        const clock = new FakeClock();
        const { path, close } = await peer(said);
        const agent = new GuestAgent({ path, clock });
        expect(await outcome(agent.ping(), clock)).toBeLessThanOrEqual(5_500);
        const both = Promise.allSettled([agent.setTime(), agent.exec('/bin/x', [])]);
        expect(await outcome(both, clock)).toBeLessThanOrEqual(61_000);
        for (const { reason } of (await both).filter((each) => each.status === 'rejected'))
          expect(reason).toBeInstanceOf(Failed);
        agent.close();
        expect(clock.pending).toBe(0);
        await close();
      },
    ),
  );
});

describe('the network program', () => {
  const card = Buffer.concat([
    encodeInit(),
    Buffer.from('01dc050e06025000000001', 'hex'),
    Buffer.alloc(247),
  ]);
  const refusal = Buffer.concat([encodeInit(), Buffer.from([2, 200]), Buffer.alloc(256, 'x')]);
  const timing = { timeoutMs: 15_000, program: 'vpnkit' };
  holds(
    'that shakes hands in any way gives a card or a failure, in time',
    80,
    fc.asyncProperty(
      script(fc.oneof(garbled([card, refusal], ['VMN3T']), anyBytes())),
      async (said) => {
        const clock = new FakeClock();
        const { path, close } = await peer(said);
        const { signal } = new AbortController();
        const uuid = 'f8356af6-1ccb-8a8a-81be-7bd003899571';
        const work = shakeHands({ path, uuid, clock, signal, ...timing }).then((vif) =>
          expect(vif.maxPacketBytes).toBeGreaterThanOrEqual(1514),
        );
        expect(await outcome(work, clock)).toBeLessThanOrEqual(15_500);
        expect(clock.pending).toBe(0);
        await close();
      },
    ),
  );
  holds(
    'has a reply that can be read, whatever it is',
    1000,
    fc.property(fc.uint8Array({ minLength: 258, maxLength: 258 }), (bytes) => {
      expect(['vif', 'refused', 'unknown']).toContain(decodeReply(Buffer.from(bytes)).kind);
    }),
  );
  const http = 'HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n[]';
  holds(
    'gvproxy that answers anything is ready or a failure, in time',
    15,
    fc.asyncProperty(script(fc.oneof(garbled([http]), anyBytes(40))), async (said) => {
      const clock = new FakeClock();
      const { signal } = new AbortController();
      const own = {
        ...layoutOf(dir),
        gvproxy: join(dir, `g${number}`),
        streamSocket: join(dir, `n${number}`),
      };
      const api = await peer(said, own.gvproxy);
      const stream = await peer(
        { whole: Buffer.alloc(0), chunks: [], end: 'stay' },
        own.streamSocket,
      );
      number++;
      const work = gvproxy.ready({ layout: own, link: 'qemu-stream', uuid: '', clock, signal });
      expect(await outcome(work, clock)).toBeLessThanOrEqual(15_500);
      expect(clock.pending).toBe(0);
      await Promise.all([api.close(), stream.close()]);
    }),
  );
});
