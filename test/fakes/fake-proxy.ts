import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';

/** A proxy on loopback that forwards and tunnels, whatever the host, to one port on loopback. Keeps what it was asked for. */
export class FakeProxy {
  /** `GET http://HOST/PATH`, `CONNECT HOST:PORT`. */
  readonly asked: string[] = [];
  /** The Proxy-Authorization that is wanted. */
  login: string | undefined;
  /** What is answered to CONNECT in place of a tunnel. */
  refusal: number | undefined;
  readonly #server: Server;

  private constructor(port: number) {
    this.#server = createServer((from, response) => {
      if (!this.#admits(from)) return void response.writeHead(407).end();
      const { pathname, search, host } = new URL(from.url ?? '');
      const headers = { ...from.headers, host };
      const onward = request({ port, path: pathname + search, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      });
      onward.on('error', () => response.writeHead(502).end()).end();
    });
    this.#server.on('connect', (from, socket) => {
      socket.on('error', () => undefined);
      const status = this.#admits(from) ? this.refusal : 407;
      if (status !== undefined) return void socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
      const onward = connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connected\r\n\r\n');
        socket.pipe(onward).pipe(socket);
      });
      onward.on('error', () => socket.destroy());
      socket.on('close', () => onward.destroy());
    });
  }

  static async to(port: number): Promise<FakeProxy> {
    const proxy = new FakeProxy(port);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  /** HOST:PORT */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #admits(from: IncomingMessage): boolean {
    this.asked.push(`${from.method} ${from.url}`);
    return this.login === undefined || from.headers['proxy-authorization'] === this.login;
  }
}
