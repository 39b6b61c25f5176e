/**
 * A stand-in for qemu-guest-agent behind QEMU's socket: one client at a time (others wait unseen), and as strict: only
 * known commands with whole arguments, 0xff forgets half a request, guest-sync-delimited answers behind a 0xff.
 */
import { createServer, type Server, type Socket } from 'node:net';

type Request = { readonly execute: string; readonly arguments: Readonly<Record<string, unknown>> };

/** What a test makes of a request: bytes to send, or undefined for how the real one answers. */
export type Odd = (request: Request, answer: string) => string | Buffer | undefined;

export class FakeAgent {
  readonly requests: Request[] = [];
  connections = 0;
  /** Changes answers; `answer` is what would be sent. */
  odd: Odd = () => undefined;
  /** Sent when a client connects: what an earlier client did not read. */
  leftover: Buffer = Buffer.alloc(0);
  timeNs = 1_767_323_045_123_456_789n;
  #server: Server;
  #served: Socket | undefined;
  #waiting: Socket[] = [];
  #half = '';
  #watchers: (() => void)[] = [];
  #polls = 0;

  static async listen(path: string): Promise<FakeAgent> {
    const agent = new FakeAgent();
    await new Promise<void>((resolve) => agent.#server.listen(path, resolve));
    return agent;
  }

  private constructor() {
    this.#server = createServer({ pauseOnConnect: true }, (socket) => {
      this.#waiting.push(socket);
      socket.on('error', () => undefined);
      this.#serveNext();
    });
  }

  /** Resolves when a request of that name has come. */
  async received(execute: string): Promise<Request> {
    for (;;) {
      const found = this.requests.find((request) => request.execute === execute);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  /** What it should have said before. */
  say(answer: string): void {
    this.#served?.write(answer);
  }

  /** The VM is gone. */
  hangUp(): void {
    this.#served?.destroy();
  }

  close(): void {
    for (const socket of [...this.#waiting, this.#served]) socket?.destroy();
    this.#server.close();
  }

  #serveNext(): void {
    if (this.#served !== undefined) return;
    const socket = (this.#served = this.#waiting.shift());
    if (socket === undefined) return;
    this.connections += 1;
    this.#half = '';
    socket.on('data', (chunk) => this.#take(chunk, socket));
    socket.on('close', () => {
      this.#served = undefined;
      this.#serveNext();
    });
    socket.write(this.leftover);
    socket.resume();
  }

  #take(chunk: Buffer, socket: Socket): void {
    this.#half += chunk.toString('latin1');
    this.#half = this.#half.slice(this.#half.lastIndexOf('\xff') + 1);
    const lines = this.#half.split('\n');
    this.#half = lines.pop() ?? '';
    for (const line of lines) {
      const request = JSON.parse(line) as Request;
      const answer = this.#answer(request);
      const sent = this.odd(request, answer);
      this.requests.push(request);
      for (const wake of this.#watchers.splice(0)) wake();
      socket.write(sent ?? Buffer.from(answer, 'latin1'));
    }
  }

  #answer({ execute, arguments: args }: Request): string {
    const give = (value: string) => `{"return": ${value}}\n`;
    const refuse = (desc: string) => `{"error": {"class": "GenericError", "desc": "${desc}"}}\n`;
    switch (execute) {
      case 'guest-sync-delimited':
        return `\xff${give(String(args['id']))}`;
      case 'guest-ping':
        return give('{}');
      case 'guest-get-time':
        return give(String(this.timeNs));
      case 'guest-set-time':
        if (!Number.isInteger(args['time'])) return refuse('Invalid parameter type');
        this.timeNs = BigInt(args['time'] as number);
        return give('{}');
      case 'guest-shutdown':
        return args['mode'] === 'powerdown' ? '' : refuse('mode is invalid');
      case 'guest-exec':
        this.#polls = 0;
        return args['path'] === '/missing' ? refuse('No such file') : give('{"pid": 42}');
      case 'guest-exec-status':
        if (args['pid'] !== 42) return refuse('Invalid parameter pid');
        this.#polls += 1;
        return this.#polls < 3
          ? give('{"exited": false}')
          : give('{"exited": true, "exitcode": 3, "out-data": "b3V0Cg==", "err-data": "ZXJyCg=="}');
      default:
        return refuse(`The command ${execute} has not been found`);
    }
  }
}
