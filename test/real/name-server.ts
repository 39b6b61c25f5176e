/** A name server of a test's own: each name has one address, and what it was asked is known. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

export class NameServer implements AsyncDisposable {
  /** Names that it was asked for, in their order. */
  readonly asked: string[] = [];
  readonly #socket: Socket;

  private constructor(socket: Socket, address: string) {
    this.#socket = socket;
    socket.on('message', (question, { port, address: from }) => {
      const { name, type, end } = questionIn(question);
      this.asked.push(name);
      socket.send(
        answerTo(question.subarray(0, end), type === 1 ? address : undefined),
        port,
        from,
      );
    });
  }

  /** On port 53 of an address of the loopback, which needs root; every name is at `address`. */
  static async on(own: string, address: string): Promise<NameServer> {
    const socket = createSocket('udp4');
    socket.bind(53, own);
    await once(socket, 'listening');
    return new NameServer(socket, address);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#socket, 'close');
    this.#socket.close();
    await closed;
  }
}

/** RFC 1035, 4.1: a header of 12 bytes, then one name in labels, its type and its class. */
function questionIn(message: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = message.readUInt8(at); length > 0; length = message.readUInt8(at)) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.'), type: message.readUInt16BE(at + 1), end: at + 5 };
}

/** The question again, then at most one address of it: a pointer to its name, type A, class IN, a second, four bytes. */
function answerTo(question: Buffer, address: string | undefined): Buffer {
  const header = Buffer.from(question.subarray(0, 12));
  header.writeUInt16BE(0x8180, 2);
  for (const [at, count] of [1, address === undefined ? 0 : 1, 0, 0].entries())
    header.writeUInt16BE(count, 4 + 2 * at);
  const found =
    address === undefined
      ? []
      : [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...address.split('.').map(Number)];
  return Buffer.concat([header, question.subarray(12), Buffer.from(found)]);
}
