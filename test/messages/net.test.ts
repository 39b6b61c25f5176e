import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { layoutOf } from '../../src/config/layout.ts';
import { vmPrograms } from '../../src/domain/vm-programs.ts';
import { gvproxy, gvproxySilent, noNetworkProgram } from '../../src/net/gvproxy.ts';
import { encodeInit, shakeHands } from '../../src/net/handshake.ts';
import { chooseNetwork, networkLesson, ownNetworkLesson } from '../../src/net/networks.ts';
import { Exit, type Failure } from '../../src/system/failure.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { directoryShownAs, tells } from './tell.ts';

const tree = directoryShownAs('/net');
const bin = join(tree, 'bin');
const layout = layoutOf(join(tree, 's'));
const at = '2026-01-01T00:00:00.000Z';
const failure: Failure = {
  kind: 'network-silent',
  message: 'It is silent.',
  hint: 'See its output: linuxkit-builder logs',
  exit: Exit.unavailable,
};
const install = (...names: string[]) => {
  mkdirSync(bin, { recursive: true });
  for (const name of names) writeFileSync(join(bin, name), '', { mode: 0o755 });
};

let servers = 0;
/** What a handshake with a server says that does this; 10 s pass when it waits for more. */
async function greeted(serve?: (socket: Socket) => void): Promise<never> {
  const path = join(tree, `vpnkit-${++servers}`);
  const clock = new FakeClock();
  const { signal } = new AbortController();
  const taken: Socket[] = [];
  const server = createServer((socket) => {
    taken.push(socket.on('error', () => undefined));
    serve?.(socket);
  });
  if (serve !== undefined) await once(server.listen(path), 'listening');
  const uuid = 'f8356af6-1ccb-8a8a-81be-7bd003899571';
  const asked = shakeHands({ path, uuid, clock, signal, timeoutMs: 10_000, program: 'VPNKit' });
  const settled = asked.then(
    () => true,
    () => true,
  );
  try {
    while (!(await Promise.race([settled, soon()]))) await clock.advance(500);
    return (await asked) as never;
  } finally {
    for (const socket of taken) socket.destroy();
    server.close();
  }
}
const soon = () => new Promise<false>((resolve) => setTimeout(() => resolve(false), 5));

/** A server that gives its greeting, and this when the card was asked for. */
const answers = (reply: Buffer | undefined) => (socket: Socket) => {
  socket.write(encodeInit());
  let bytes = 0;
  socket.on('data', (chunk) => {
    bytes += chunk.length;
    if (bytes >= encodeInit().length + 41 && reply !== undefined) socket.write(reply);
  });
};
const reply = (head: string) =>
  Buffer.concat([Buffer.from(head, 'hex'), Buffer.alloc(258)]).subarray(0, 258);

tells('net', {
  'The network program': {
    'none is installed': () => noNetworkProgram('HyperKit', ['vpnkit', 'gvproxy']).failure.message,
    'gvproxy is silent': () => gvproxySilent,
    'it does not listen': () => greeted(),
    'it says nothing': () => greeted(() => undefined),
    'it gives no card': () => greeted(answers(undefined)),
    'it refuses a card': () => greeted(answers(reply('0203616263'))),
    'it refuses a card without a reason': () => greeted(answers(reply('0200'))),
    'its packets are too small': () => greeted(answers(reply('01dc05dc055a94efe40cee'))),
    'it answers something else': () => greeted(answers(reply('07'))),
    'it hangs up': () => greeted((socket) => void socket.end(encodeInit())),
    'it is another program': () =>
      greeted((socket) => void socket.write('HTTP/1.1 400 Bad Request'.repeat(3))),
  },
  'Another network': {
    'is tried after one that did not serve': () => {
      install('vpnkit', 'gvproxy');
      const options = {
        config: { network: 'auto' },
        row: vmPrograms.hyperkit,
        layout,
        path: bin,
      } as const;
      const failed = { driver: gvproxy, program: join(bin, 'gvproxy') };
      return networkLesson(failure, failed, { ...options, at }).failure;
    },
    'is taken in place of QEMU’s own': () => {
      install('qemu', 'gvproxy');
      const options = {
        config: { network: 'auto' },
        row: vmPrograms.qemu,
        layout,
        path: bin,
      } as const;
      const lacks = { ...failure, message: 'This QEMU does not support user-mode networking.' };
      return ownNetworkLesson(lacks, join(bin, 'qemu'), { ...options, at }).failure;
    },
    'is taken since QEMU’s own would resolve no names': () => {
      install('gvproxy');
      const config = { network: 'auto' } as const;
      const options = { config, row: vmPrograms.qemu, layout, path: bin, nameServers: ['::1'] };
      return chooseNetwork(options)?.rejected;
    },
  },
});
