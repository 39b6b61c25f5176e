/**
 * The program by which ssh reaches a door that is a Unix socket (ssh_config(5), ProxyCommand): ssh itself connects to ports only. It
 * becomes root's, too, so it is one that only root can change, under its whole name.
 */
import { createServer } from 'node:net';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { run, succeeded } from '../../system/process/child.ts';
import { Exit, Failed } from '../../system/failure.ts';
import { isLoose, pathsTo } from '../../system/files/loose.ts';
import { plainFolder } from '../../system/files/temporary.ts';
import { nodeCarrier } from '../../system/socket/node-carrier.ts';
import type { Config } from '../../config/config.ts';
import type { RootPaths } from '../../host/system-paths.ts';
import { shellWord } from '../../system/shell.ts';
import { proxyOf } from './stanza.ts';
import { advice, ours } from '../../system/advice.ts';

/** A program with its words; the socket's path comes behind them. */
export type Helper = readonly string[];

/**
 * One process for each way, so that neither waits for the other; each ends with its own end, and ssh's end ends both. It has no
 * quote and no exclamation mark, which a shell of the csh kind would take inside of quotes, and no percent sign, which ssh would.
 */
const perlScript = [
  'socket S,PF_UNIX,SOCK_STREAM,0 or die;',
  'connect S,sockaddr_un(shift) or die qq(No builder listens there.\\n);',
  'defined(my$p=fork) or die;',
  'sub carry{my($from,$to)=@_;while(sysread$from,my$b,65536){my$n=0;',
  'while($n<length$b){$n+=syswrite($to,$b,65536,$n)||exit}}}',
  'if($p){close STDIN;carry(*S,*STDOUT)}else{close STDOUT;carry(*STDIN,*S);shutdown S,1}',
].join('');

/** In the order in which they are tried: macOS has nc, every Debian perl; Node, which is here anyway, takes longest to begin. */
export function helpersOf(platform: NodeJS.Platform, node: string): readonly Helper[] {
  const nixos = '/run/current-system/sw/bin';
  const nc = ['/usr/bin/nc', '/bin/nc', `${nixos}/nc`].map((program) => [program, '-U']);
  const perl = ['/usr/bin/perl', `${nixos}/perl`].map((program) => [
    program,
    '-MSocket',
    '-e',
    perlScript,
  ]);
  const last = [[node, '-e', nodeCarrier]];
  // Elsewhere nc may be any of five programs, and another one tomorrow.
  return platform === 'darwin' ? [...nc, ...perl, ...last] : [...perl, ...nc, ...last];
}

/** As ssh takes it: one line for `$SHELL -c`, whatever shell that is. */
export const proxyCommand = (helper: Helper, socket: string): string =>
  [...helper, socket].map(shellWord).join(' ').replaceAll('%', '%%');

type Asked = Pick<Config, 'door'>;
type Socket = Pick<RootPaths, 'doorSocket'>;

/** How ssh reaches the door, found by trial; undefined where it is a port. */
export async function doorProxy(
  { door }: Asked,
  { doorSocket }: Socket,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (door === 'tcp') return undefined;
  return proxyCommand(await findHelper({ signal }), doorSocket);
}

/** The same as `configure` found it, by the user's stanza; before that what it tries first. */
export function knownProxy(
  { door }: Asked,
  { doorSocket }: Socket,
  stanza: string,
): string | undefined {
  if (door === 'tcp') return undefined;
  const [first = []] = helpersHere();
  return proxyOf(stanza) ?? proxyCommand(first, doorSocket);
}

interface HelperOptions {
  readonly helpers?: readonly Helper[];
  readonly signal: AbortSignal;
}

/** The first one that carries bytes both ways to a socket here; Failed `door-helper-missing`. */
export async function findHelper({
  helpers = helpersHere(),
  signal,
}: HelperOptions): Promise<Helper> {
  for (const helper of helpers) if (await carries(helper, signal)) return helper;
  throw new Failed({
    kind: 'door-helper-missing',
    message: `ssh needs another program to connect to a Unix socket, and none of these is installed so that only root can change it: ${[...new Set(helpers.map(([program = '']) => program))].join(', ')}.`,
    hint: advice`Install perl or netcat-openbsd, or use a port instead: ${ours('configure', '--door tcp')}`,
    exit: Exit.unavailable,
  });
}

const helpersHere = () => helpersOf(process.platform, process.execPath);

const word = 'SSH-2.0-trial\r\n';
const trialMs = 10_000;

/** Here a small peer sends back what it gets, and ends. */
async function carries(helper: Helper, signal: AbortSignal): Promise<boolean> {
  if (!isRoots(helper[0] ?? '')) return false;
  const directory = plainFolder('door-');
  const socket = join(directory, 's');
  const server = createServer((peer) => {
    peer.on('error', () => undefined).once('data', (bytes) => peer.end(bytes));
  });
  try {
    server.listen(socket);
    await once(server, 'listening');
    // As ssh runs it.
    const argv = ['-c', `exec ${proxyCommand(helper, socket).replaceAll('%%', '%')}`];
    const ran = await run('/bin/sh', argv, { input: word, timeoutMs: trialMs, signal });
    return succeeded(ran) && ran.stdout === word;
  } finally {
    server.close();
    rmSync(directory, { recursive: true });
  }
}

function isRoots(program: string): boolean {
  try {
    return !pathsTo(program).some(isLoose);
  } catch {
    // It is not there.
    return false;
  }
}
