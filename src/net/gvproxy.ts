/** gvproxy: the maintained user-mode network; it speaks a protocol for each way in which a VM program can be attached. */
import type { Attachment } from '../domain/guest-network.ts';
import type { Layout } from '../config/layout.ts';
import type { Tunnel } from '../domain/tunnel.ts';
import type { Link } from '../domain/vm-programs.ts';
import type { Launch } from '../system/process/child.ts';
import { within } from '../system/time/deadline.ts';
import { Exit, Failed, type Failure } from '../system/failure.ts';
import { programMissing } from '../system/process/find-program.ts';
import { firstWords } from '../system/socket/connected.ts';
import { awaitUnix } from '../system/socket/unix-socket.ts';
import type { NetworkDriver, ReadyOptions } from './network-driver.ts';
import { shakeHands } from './handshake.ts';
import { advice, ours } from '../system/advice.ts';
import { statsIfThere } from '../system/stats.ts';

/** Its defaults; options that change them are younger (2026-03) than what distributions have. */
const address = '192.168.127.2';
const gateway = '192.168.127.1';
const mac = '5a:94:ef:e4:0c:ee';
/** The one uuid that it knows: to it belongs the address above. Any other gets another MAC at each connection. */
const uuid = 'c3d68012-0208-11ea-9fd7-f2189899ab08';
const readyMs = 15_000;

export const gvproxy: NetworkDriver = {
  name: 'gvproxy',
  network: ({ layout, link }) => {
    const { attachment } = sideOf(link);
    return {
      name: 'gvproxy',
      guest: {
        address: `${address}/24`,
        gateway,
        nameservers: [gateway],
        // Where the card is known by its uuid, gvproxy gives it its address.
        ...(link === 'vpnkit' ? {} : { mac }),
      },
      attachment: attachment(layout),
      // 0.8.1 was seen to ask the first server of its start for ever; later ones are said to look again, and lose nothing by this.
      namesOnce: { loopback: '192.168.127.254' },
      tunnel: tunnelTo(layout.gvproxy),
    };
  },
  plan: ({ layout, link, program }): Launch => ({
    program,
    argv: [
      ...sideOf(link).listen(layout),
      // Without it, it listens on a TCP port of its own, 2222.
      '-ssh-port',
      '-1',
      '-listen',
      `unix://${layout.gvproxy}`,
    ],
    env: { PATH: '/usr/bin:/bin', TMPDIR: layout.state, HOME: layout.state },
    cwd: layout.state,
  }),
  // It removes none of them before it listens, and fails (with exit code 0) where one is.
  stale: ({ vpnkitSocket, streamSocket, gramSocket, gvproxy: api }) => [
    vpnkitSocket,
    streamSocket,
    gramSocket,
    api,
  ],
  ready: (options) => sideOf(options.link).ready(options),
  // With -listen-vpnkit it does not end on SIGTERM (its Accept loop has no end), so little time is lost on that.
  graceMs: 300,
};

/** What gvproxy is told, and the VM program of it, for one way of being attached. */
interface Side {
  readonly attachment: (layout: Layout) => Attachment;
  readonly listen: (layout: Layout) => readonly string[];
  readonly ready: (options: ReadyOptions) => Promise<void>;
}

const sides: { readonly [L in Link]?: Side } = {
  vpnkit: {
    attachment: ({ vpnkitSocket: socket }) => ({ kind: 'vpnkit', socket, uuid }),
    listen: ({ vpnkitSocket }) => ['-listen-vpnkit', `unix://${vpnkitSocket}`],
    ready: async ({ layout, clock, signal }) => {
      await shakeHands({
        path: layout.vpnkitSocket,
        uuid,
        clock,
        signal,
        timeoutMs: readyMs,
        program: 'gvproxy',
      });
    },
  },
  'qemu-stream': {
    attachment: ({ streamSocket: socket }) => ({ kind: 'stream', socket, mac }),
    listen: ({ streamSocket }) => ['-listen-qemu', `unix://${streamSocket}`],
    ready: (options) => listens(options.layout.streamSocket, options),
  },
  // One peer for its life: who comes after it stops gvproxy's traffic for good, so each VM process gets a gvproxy of its own.
  'vfkit-dgram': {
    attachment: ({ gramSocket: socket }) => ({ kind: 'vfkit', socket, mac }),
    listen: ({ gramSocket }) => ['-listen-vfkit', `unixgram://${gramSocket}`],
    ready: (options) => listens(options.layout.gramSocket, options),
  },
};

function sideOf(link: Link): Side {
  const side = sides[link];
  if (side === undefined) throw new Error(`gvproxy is not attached by ${link}`);
  return side;
}

/** The guest's socket must not be tried: it serves one peer and ends with it. So: it is there, and the API answers. */
async function listens(socket: string, { layout, clock, signal }: ReadyOptions): Promise<void> {
  const isThere = () => statsIfThere(socket)?.isSocket() === true;
  await within(
    async (inTime) => {
      (await awaitUnix(layout.gvproxy, clock, inTime)).destroy();
      while (!isThere() || !(await answers(layout.gvproxy, inTime))) await clock.sleep(20, inTime);
    },
    { clock, timeoutMs: readyMs, signal, late: () => gvproxySilent },
  );
}

/** Whether the API answers a request, whatever it says. */
const answers = async (path: string, signal: AbortSignal): Promise<boolean> => {
  const say = 'GET /services/forwarder/all HTTP/1.0\r\n\r\n';
  const said = await firstWords({ path }, { say, isEnough: () => true, signal });
  return said.startsWith('HTTP/');
};

/** POST /tunnel takes the connection over and says the two bytes OK before it has dialled anything: they prove nothing. */
const tunnelTo = (path: string): Tunnel => ({
  kind: 'unix',
  path,
  hello: `POST /tunnel?ip=${address}&port=22 HTTP/1.1\r\nHost: gvproxy\r\nContent-Length: 0\r\n\r\n`,
  answer: 'OK',
});

/** Its API does not answer, or its socket for the guest is not there. */
export const gvproxySilent: Failure = {
  kind: 'network-silent',
  vmFault: 'passes',
  message: `gvproxy does not provide a network: it did not answer within ${readyMs / 1000} s.`,
  hint: advice`See its output: ${ours('logs')}`,
  exit: Exit.unavailable,
};

/** Thrown where none of the programs that could give the network is there. `title`: the VM program's. */
export const noNetworkProgram = (title: string, names: readonly string[]): Failed =>
  new Failed({
    kind: 'program-missing',
    vmFault: 'lasts',
    message: `${title} needs a network program, and none is installed: ${names.join(', ')}.`,
    hint: programMissing('gvproxy').hint,
    exit: Exit.unavailable,
    recovery: 'give-up',
  });
