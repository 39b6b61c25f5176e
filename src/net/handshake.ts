/**
 * VPNKit's Ethernet protocol up to the first frame: 49 bytes each way, 41 there, 258 back, all little-endian (vpnkit,
 * src/hostnet/vmnet.ml; hyperkit, src/lib/pci_virtio_net_vpnkit.c). HyperKit repeats a refused handshake for ever and
 * nearly silently, so we make the same one first and read the answer.
 */
import type { Clock } from '../system/time/clock.ts';
import { within } from '../system/time/deadline.ts';
import { errorCode, Exit, Failed, type Failure } from '../system/failure.ts';
import { plainText, quoted } from '../system/plain-text.ts';
import { awaitUnix } from '../system/socket/unix-socket.ts';
import { advice, asSentence, ours } from '../system/advice.ts';

const initBytes = 49;
const commandBytes = 41;
const replyBytes = 258;
const magic = 'VMN3T';
const protocolVersion = 22;

/** The guest's card as the server sees it. */
interface Vif {
  readonly mtu: number;
  readonly maxPacketBytes: number;
  readonly mac: string;
}

/** What the server says: a card, or why there is none. */
type Reply =
  | { readonly kind: 'vif'; readonly vif: Vif }
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'unknown' };

/** The first message of both sides. The commit is 40 characters that nobody compares. */
export function encodeInit(): Buffer {
  const init = Buffer.alloc(initBytes, 0x30);
  init.write(magic, 'latin1');
  init.writeUInt32LE(protocolVersion, 5);
  return init;
}

/** Asks for the card of that uuid: command 8 with the address it should have, command 1 with any. */
export function encodeCommand(uuid: string, preferredIpv4?: string): Buffer {
  const command = Buffer.alloc(commandBytes);
  command[0] = preferredIpv4 === undefined ? 1 : 8;
  command.write(uuid, 1, 36, 'latin1');
  if (preferredIpv4 !== undefined) command.writeUInt32LE(ipv4Number(preferredIpv4), 37);
  return command;
}

const ipv4Number = (address: string): number =>
  address.split('.').reduce((number, part) => number * 256 + Number(part), 0);

/** A whole reply: a card, or a refusal. */
export function decodeReply(reply: Buffer): Reply {
  if (reply[0] === 1)
    return {
      kind: 'vif',
      vif: {
        mtu: reply.readUInt16LE(1),
        maxPacketBytes: reply.readUInt16LE(3),
        mac: [...reply.subarray(5, 11)].map((byte) => byte.toString(16).padStart(2, '0')).join(':'),
      },
    };
  if (reply[0] !== 2) return { kind: 'unknown' };
  const length = reply[1] ?? 0;
  return { kind: 'refused', why: reply.toString('latin1', 2, 2 + length) };
}

interface HandshakeOptions {
  readonly path: string;
  readonly uuid: string;
  readonly preferredIpv4?: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** From the first try to connect to the last byte of the answer. */
  readonly timeoutMs: number;
  /** For messages. */
  readonly program: string;
}

/** Connects as soon as the server listens, and shakes hands. The connection is closed again: servers take the uuid back. */
export async function shakeHands(options: HandshakeOptions): Promise<Vif> {
  const { path, uuid, preferredIpv4, clock, signal, timeoutMs, program } = options;
  let reached = 'nothing was listening on its socket';
  const late = () => silent(program, timeoutMs, reached);
  return within(
    async (inTime) => {
      const socket = await awaitUnix(path, clock, inTime);
      try {
        reached = 'it accepted connections but sent nothing';
        inTime.addEventListener('abort', () => socket.destroy(), { once: true });
        const read = reader(socket, program);
        socket.write(encodeInit());
        const init = await read(initBytes);
        if (init.toString('latin1', 0, magic.length) !== magic)
          throw new Failed(stranger(program, init));
        reached = 'it did not answer the request for a network card';
        socket.write(encodeCommand(uuid, preferredIpv4));
        return cardIn(decodeReply(await read(replyBytes)), program);
      } finally {
        socket.destroy();
      }
    },
    { clock, timeoutMs, signal, late },
  );
}

function cardIn(reply: Reply, program: string): Vif {
  if (reply.kind === 'refused') throw new Failed(refused(program, reply.why));
  if (reply.kind === 'unknown') throw new Failed(stranger(program, Buffer.alloc(0)));
  // HyperKit asserts on a full-size frame otherwise: the guest's MTU is 1500 whatever the server says.
  if (reply.vif.maxPacketBytes < 1514)
    throw new Failed(
      refused(program, `its packet size is limited to ${reply.vif.maxPacketBytes} bytes`),
    );
  return reply.vif;
}

/** Reads so many bytes, however they come. */
function reader(socket: Awaited<ReturnType<typeof awaitUnix>>, program: string) {
  const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let rest = Buffer.alloc(0);
  return async (length: number): Promise<Buffer> => {
    while (rest.length < length) {
      const next = await chunks.next().catch((error: unknown) => {
        if (errorCode(error) === undefined) throw error;
        return { done: true as const, value: undefined };
      });
      if (next.done === true) throw new Failed(closed(program));
      rest = Buffer.concat([rest, next.value]);
    }
    const wanted = rest.subarray(0, length);
    rest = rest.subarray(length);
    return wanted;
  };
}

const silent = (program: string, timeoutMs: number, reached: string): Failure => ({
  kind: 'network-silent',
  vmFault: 'passes',
  message: `${program} does not provide a network: ${reached} for ${timeoutMs / 1000} s.`,
  hint: advice`See its output: ${ours('logs')}`,
  exit: Exit.unavailable,
});

const refused = (program: string, why: string): Failure => ({
  kind: 'network-refused',
  message: `${program} refused to provide a network card: ${asSentence(quoted(why) ?? 'no reason given')}`,
  hint: advice`Another program may be using it. To start a new one, run: ${ours('restart')}`,
  exit: Exit.unavailable,
});

const closed = (program: string): Failure => ({
  kind: 'network-silent',
  vmFault: 'passes',
  message: `${program} closed the connection before it provided a network card.`,
  hint: advice`See its output: ${ours('logs')}`,
  exit: Exit.unavailable,
});

const stranger = (program: string, said: Buffer): Failure => ({
  kind: 'network-stranger',
  message: `The program listening on ${program}'s socket does not speak VPNKit's protocol${said.length === 0 ? '' : `: it sent ${plainText(JSON.stringify(said.toString('latin1', 0, 8)))}`}.`,
  hint: advice`Check which program is used: ${ours('daemon', '--dry-run')}`,
  exit: Exit.unavailable,
});
