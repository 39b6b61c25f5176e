/**
 * A strict peer in VPNKit's place: its command line, its handshake to the byte, its table of addresses and its ways to end.
 * Behind it is gvproxy's network, if there is that program; else frames are checked and dropped. What it is told in the
 * file PROGRAM.orders it does to each client.
 */
import { existsSync, fstatSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { framed, openWorld, type World } from './world.ts';

/** Put in by the bundler: where gvproxy is, or nothing. */
declare const GVPROXY: string;

interface Orders {
  /** Refuse every card with these words; the first ones not, if it is said how many. */
  readonly refuse?: string;
  readonly refuseAfter?: number;
  /** Say nothing any more after: the connection, the first message. */
  readonly silentAfter?: 'accept' | 'init';
  /** Send every message a byte at a time, with pauses that make it last so long. */
  readonly slowMs?: number;
  /** Begin with something else. */
  readonly stranger?: boolean;
  /** Take so long before it serves anybody. */
  readonly lateMs?: number;
  /** Fail to listen, as VPNKit does: some words, and exit code 0. */
  readonly bindFails?: boolean;
}

const say = (line: string) => void process.stderr.write(`vpnkit: [INFO] ${line}\n`);
const ethernet = ethernetUrl(process.argv.slice(2));
const orders = readOrders();
if (orders.bindFails === true) cannotListen('EADDRINUSE');
const server = createServer(
  (socket) => void serve(socket).catch((error: unknown) => say(String(error))),
).on('error', (error) => cannotListen(error.message));
setTimeout(() => server.listen(whereToListen(ethernet)), orders.lateMs ?? 0);

/** `fd:N`, a descriptor that was inherited listening; or a path, where whatever is there is unlinked first. */
function whereToListen(url: string): { readonly fd: number } | { readonly path: string } {
  const fd = /^fd:(\d+)$/.exec(url)?.[1];
  if (fd === undefined) {
    rmSync(url, { force: true });
    return { path: url };
  }
  if (!isSocket(Number(fd))) cannotListen(`descriptor ${fd} is no socket`);
  return { fd: Number(fd) };
}

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false;
  }
}

/** The end of VPNKit's main(), as any other: exit code 0. */
function cannotListen(why: string): never {
  process.stderr.write(`Failed to listen on ethernet socket because: ${why}\n`);
  process.exit(0);
}

/** Only a word that it does not know makes it fail with another code than 0 (cmdliner). */
function ethernetUrl(argv: readonly string[]): string {
  const [option, value, ...more] = argv;
  if (option === undefined) {
    process.stderr.write('Please provide an --ethernet argument\n');
    process.exit(0);
  }
  if (option !== '--ethernet' || value === undefined || more.length > 0) {
    process.stderr.write(`vpnkit: unknown option '${more[0] ?? option}'.\n`);
    process.exit(124);
  }
  return value;
}

function readOrders(): Orders {
  const file = `${process.argv[1] ?? ''}.orders`;
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Orders) : {};
}

/** uuid -> last byte of the address; the pool begins at .3, as since 2018. */
const table = new Map<string, number>();
let cards = 0;

async function serve(socket: Socket): Promise<void> {
  socket.on('error', () => undefined);
  if (orders.silentAfter === 'accept') return;
  const read = reader(socket);
  const init = await read(49);
  if (orders.silentAfter === 'init') return;
  await write(socket, orders.stranger === true ? Buffer.alloc(49, 'HTTP/1.1 ') : ownInit());
  if (init.toString('latin1', 0, 5) !== 'VMN3T' || init.readUInt32LE(5) !== 22)
    return void socket.end();
  const command = await read(41);
  const uuid = command.toString('latin1', 1, 37);
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(uuid)) return void socket.destroy();
  if (command[0] === 6) return write(socket, disconnect('Unsupported command bind_ipv4'));
  if (command[0] !== 1 && command[0] !== 8) return void socket.destroy();
  const preferred = command[0] === 8 ? command.subarray(37, 41) : undefined;
  const refusal =
    cards >= (orders.refuseAfter ?? 0) && orders.refuse !== undefined
      ? orders.refuse
      : assign(uuid, preferred);
  if (refusal !== undefined) {
    await write(socket, disconnect(refusal));
    return void socket.end();
  }
  await write(socket, vif());
  say(`card for ${uuid}`);
  let world: World | undefined;
  socket.once('close', () => world?.end());
  for (;;) {
    const length = (await read(2)).readUInt16LE(0);
    if (length < 60 || length > 1514) say(`a frame of ${length} bytes`);
    const frame = await read(length);
    // Not before: a card that only shakes hands needs none.
    if (GVPROXY !== '') world ??= openWorld(GVPROXY, (each) => void socket.write(framed(each)));
    world?.take(frame);
  }
}

function assign(uuid: string, preferred: Buffer | undefined): string | undefined {
  const known = table.get(uuid);
  const wanted = preferred?.[0];
  const text = preferred === undefined ? '' : [...preferred].reverse().join('.');
  if (preferred !== undefined) {
    if (!text.startsWith('192.168.65.') || wanted === undefined || wanted < 3 || wanted > 254)
      return 'Preferred IP address out of range.';
    if (known !== undefined && known !== wanted)
      return 'UUID already assigned to a different IP than the preferred one.';
    if (known === undefined && [...table.values()].includes(wanted))
      return `Preferred IP address ${text} already used.`;
  }
  table.set(uuid, known ?? wanted ?? 3 + table.size);
  return undefined;
}

function ownInit(): Buffer {
  const init = Buffer.alloc(49, '0123456789');
  init.write('VMN3T\x16\0\0\0', 'latin1');
  return init;
}

function vif(): Buffer {
  const reply = Buffer.alloc(258);
  Buffer.from('01dc050e060250000000', 'hex').copy(reply);
  reply[10] = ++cards;
  return reply;
}

function disconnect(words: string): Buffer {
  const reply = Buffer.alloc(258);
  reply[0] = 2;
  reply[1] = words.length;
  reply.write(words, 2, 'latin1');
  return reply;
}

async function write(socket: Socket, bytes: Buffer): Promise<void> {
  const { slowMs } = orders;
  if (slowMs === undefined) return void socket.write(bytes);
  for (const byte of bytes) {
    socket.write(Buffer.of(byte));
    await new Promise((resolve) => setTimeout(resolve, slowMs / bytes.length));
  }
}

function reader(socket: Socket): (length: number) => Promise<Buffer> {
  const chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let rest = Buffer.alloc(0);
  return async (length) => {
    while (rest.length < length) {
      const next = await chunks.next();
      if (next.done === true) throw new Error('TCP/IP stack disconnected');
      rest = Buffer.concat([rest, next.value]);
    }
    const wanted = rest.subarray(0, length);
    rest = rest.subarray(length);
    return wanted;
  };
}
