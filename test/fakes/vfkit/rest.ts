/** vfkit's REST server: its routes, codes and bodies, and gin's line on stdout for each request. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { writeSync } from 'node:fs';
import type { Machine } from './command-line.ts';
import type { Rest } from './sockets.ts';
import { notAllowed, may, stateJson, wishes, type State, type Wish } from './states.ts';

/** What the server asks of the VM. */
export interface Asked {
  readonly machine: Machine;
  readonly state: () => State;
  readonly canRequestStop: boolean;
  /** Settles when it is done, for all wishes but Stop. */
  readonly wish: (wish: Wish) => Promise<void>;
}

/** Listens in the background, before the VM starts. `fatal`: it cannot; that comes later than this returns. */
export function serveRest(
  where: Extract<Rest, { kind: 'unix' | 'tcp' }>,
  asked: Asked,
  fatal: (why: string) => void,
): Server {
  const server = createServer((request, response) => void answer(request, response, asked));
  const name = where.kind === 'unix' ? `unix ${where.path}` : `tcp ${where.host}:${where.port}`;
  server.on('error', (error: NodeJS.ErrnoException) =>
    fatal(
      `listen ${name}: bind: ${error.code === 'EADDRINUSE' ? 'address already in use' : error.message}`,
    ),
  );
  if (where.kind === 'unix') server.listen(where.path);
  else server.listen(where.port, where.host === '' ? undefined : where.host);
  return server;
}

type Reply = readonly [code: number, body?: string, headers?: Readonly<Record<string, string>>];

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  asked: Asked,
): Promise<void> {
  const begun = Date.now();
  const { method = '', url = '' } = request;
  const [path = ''] = url.split('?');
  const body = await bodyOf(request);
  const [code, text = '', headers = {}] = await route(method, path, body, asked);
  const type = text.startsWith('{') ? 'application/json; charset=utf-8' : 'text/plain';
  response.writeHead(code, text === '' ? headers : { 'Content-Type': type, ...headers }).end(text);
  const at = new Date(begun).toISOString().replaceAll('-', '/').replace('T', ' - ').slice(0, 21);
  const took = `${Date.now() - begun}ms`;
  try {
    writeSync(
      1,
      `[GIN] ${at} | ${code} | ${took.padStart(12)} |                 | ${method.padEnd(7)}  "${url}"\n`,
    );
  } catch {
    // Nobody reads it.
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  try {
    for await (const chunk of request.setEncoding('utf8')) body += chunk as string;
  } catch {
    // Whoever asked is gone.
  }
  return body;
}

async function route(method: string, path: string, body: string, asked: Asked): Promise<Reply> {
  const known = `${method} ${path}`;
  if (known === 'GET /vm/state') return [200, stateJson(asked.state(), asked.canRequestStop)];
  if (known === 'GET /vm/inspect') return [200, inspect(asked.machine)];
  if (known === 'POST /vm/state') return postState(body, asked);
  if (path === '/vm/state/' || path === '/vm/inspect/') {
    const moved = { Location: path.slice(0, -1) };
    if (method === 'GET') return [301, '', moved];
    if (method === 'POST' && path === '/vm/state/') return [307, '', moved];
  }
  return [404, '404 page not found'];
}

const failure = (code: number, error: string): Reply => [code, JSON.stringify({ error })];

async function postState(body: string, asked: Asked): Promise<Reply> {
  if (body.trim() === '') return failure(400, 'EOF');
  const value = firstValue(body);
  if (value === undefined)
    return failure(
      400,
      `invalid character '${body.trim()[0] ?? ''}' looking for beginning of value`,
    );
  const wanted = stateOf(value.value);
  if (wanted === undefined)
    return failure(400, 'json: cannot unmarshal into Go value of type define.VMState');
  const wish = wishes.find((each) => each === wanted);
  if (wish === undefined) return failure(500, `invalid new VMState: ${wanted}`);
  const state = asked.state();
  if (!may(wish, state, asked.canRequestStop)) return failure(500, notAllowed(wish, state));
  if (wish === 'Stop') void asked.wish(wish);
  else await asked.wish(wish);
  return [202];
}

/** The first JSON value; what stands behind it is not looked at. */
function firstValue(text: string): { readonly value: unknown } | undefined {
  for (let end = text.length; end > 0; end--)
    try {
      return { value: JSON.parse(text.slice(0, end)) };
    } catch {
      // Less of it, then.
    }
  return undefined;
}

/** The key in any case; undefined where the types are wrong. */
function stateOf(value: unknown): string | undefined {
  if (value === null) return '';
  if (typeof value !== 'object' || Array.isArray(value)) return undefined;
  const found = Object.entries(value).find(([key]) => key.toLowerCase() === 'state');
  if (found === undefined || found[1] === null) return '';
  return typeof found[1] === 'string' ? found[1] : undefined;
}

const inspect = ({ cpus, memoryMiB, kernel, initrd, cmdline, devices }: Machine): string =>
  JSON.stringify({
    vcpus: cpus,
    memoryBytes: memoryMiB * 1024 ** 2,
    bootloader: {
      kind: 'linuxBootloader',
      VmlinuzPath: kernel,
      KernelCmdLine: cmdline,
      InitrdPath: initrd,
    },
    devices: devices.map((device) => ({ kind: 'type' in device ? device.type : device.kind })),
  });
