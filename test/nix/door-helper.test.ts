/** The programs by which ssh reaches a socket, run by the real ssh under every shell that is here. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  findHelper,
  helpersOf,
  knownProxy,
  proxyCommand,
  type Helper,
} from '../../src/nix/ssh/door-helper.ts';
import { sshConfig } from '../../src/nix/ssh/stanza.ts';
import { tryProgram } from '../../src/system/process/find-program.ts';
import { maxSocketPath } from '../../src/config/layout.ts';
import { until } from '../door/rig.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const { signal } = new AbortController();
const all = helpersOf('linux', process.execPath);
/** Those that are here, and carry. */
const here: [string, Helper][] = [];
for (const helper of all)
  await findHelper({ helpers: [helper], signal }).then(
    () => here.push([helper[0] ?? '', helper]),
    () => undefined,
  );

let directory: string;
let socket: string;
let server: Server;
let peers: Socket[];
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'helper '));
  socket = join(directory, 'socket');
  peers = [];
  server = createServer({ allowHalfOpen: true }, (peer) => {
    peers.push(peer.on('error', () => undefined));
  });
  server.listen(socket);
  await once(server, 'listening');
});
afterEach(() => {
  for (const peer of peers) peer.destroy();
  server.close();
  removeTree(directory);
});

test('one is here at least', () => expect(here).not.toEqual([]));

describe.each(here)('%s', (_, helper) => {
  const begun = () => spawn('/bin/sh', ['-c', `exec ${proxyCommand(helper, socket)}`]);

  test('carries much both ways at once, each at its own pace', async () => {
    const child = begun();
    await until(() => peers.length === 1);
    const [peer] = peers;
    const bytes = Buffer.alloc(3 * 1024 ** 2, 'abcdefg');
    let [there, back] = [0, 0];
    child.stdout.on('data', (chunk: Buffer) => (back += chunk.length));
    child.stdin.write(bytes);
    peer?.write(bytes);
    // What the other side has not taken keeps nobody from going on.
    await until(() => back === bytes.length);
    peer?.on('data', (chunk: Buffer) => (there += chunk.length));
    await until(() => there === bytes.length);
    child.stdin.end();
    peer?.end();
    await once(child, 'close');
  });

  test('ends with ssh, however that ends: the door hears of it', async () => {
    const child = begun();
    await until(() => peers.length === 1);
    let isOver = false;
    peers[0]
      ?.on('end', () => (isOver = true))
      .on('close', () => (isOver = true))
      .resume();
    child.stdin.destroy();
    child.stdout.destroy();
    child.kill('SIGHUP');
    await until(() => isOver);
  });

  test('ends with the door', async () => {
    const child = begun();
    await until(() => peers.length === 1);
    peers[0]?.destroy();
    child.stdout.resume();
    await once(child.stdout, 'end');
    child.stdin.end();
    await once(child, 'close');
  });

  test('says that nobody listens', async () => {
    server.close();
    const child = begun();
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.stdin.on('error', () => undefined);
    const [code] = (await once(child, 'close')) as [number];
    expect(code).not.toBe(0);
    expect(said).not.toBe('');
  });
});

/** ssh's own words for what a shell is to run: as a stanza of ours has it. */
function sshUnder(shell: string | undefined, helper: Helper) {
  const file = join(directory, 'config');
  const proxy = proxyCommand(helper, socket);
  const keys = { identityFile: '/nowhere', knownHosts: '/nowhere' };
  writeFileSync(file, sshConfig({ port: 1, proxy, holdSeconds: 10, takenBack: [], ...keys }));
  const env = {
    HOME: directory,
    PATH: '/usr/bin:/bin',
    ...(shell !== undefined && { SHELL: shell }),
  };
  return spawn('ssh', ['-F', file, 'nix-linuxkit', 'true'], { env, stdio: 'ignore' });
}

const shells = ['sh', 'dash', 'bash', 'zsh', 'ksh', 'csh', 'tcsh', 'fish', 'busybox sh'].flatMap(
  (name) => tryProgram(name) ?? [],
);
const deaf = ['/bin/false', '/usr/sbin/nologin', '/nonexistent'];

// Behaviour 76: ssh reaches the socket whatever the user's login shell is, as long as that shell runs the commands
// that it is given. If it does not, `doctor` says so.
describe.each(here)('ssh by %s', (_, helper) => {
  test.each([undefined, '', ...shells])('comes through with the shell %j', async (shell) => {
    const ssh = sshUnder(shell, helper);
    let said = '';
    await until(() => peers.length === 1);
    peers[0]?.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')));
    await until(() => said.startsWith('SSH-2.0-'));
    peers[0]?.destroy();
    await once(ssh, 'exit');
  });
});

// ssh runs it by `$SHELL -c`, and Nix's own `LocalCommand=echo started` as well: where that runs nothing, no door would help.
test.each(deaf)('a shell that runs nothing lets nothing through: %s', async (shell) => {
  const [, helper = []] = here[0] ?? [];
  const [code] = (await once(sshUnder(shell, helper), 'exit')) as [number];
  expect([code, peers]).toEqual([255, []]);
});

describe('the helper', () => {
  test('is the first that carries and that only root can change', async () => {
    const mine = join(directory, 'mine');
    writeFileSync(mine, '#!/bin/sh\nexec cat\n');
    chmodSync(mine, 0o757);
    const [, good = []] = here[0] ?? [];
    const helpers = [['/nowhere'], ['/bin/false'], ['/bin/cat'], [mine], good];
    expect(await findHelper({ helpers, signal })).toBe(good);
    await expect(findHelper({ helpers: helpers.slice(0, 4), signal })).rejects.toMatchObject({
      failure: { kind: 'door-helper-missing' },
    });
  });

  test('is found where temporary files have long paths', async () => {
    const long = join(directory, 'x'.repeat(maxSocketPath));
    mkdirSync(long);
    vi.stubEnv('TMPDIR', long);
    try {
      const [, good = []] = here[0] ?? [];
      expect(await findHelper({ helpers: [good], signal })).toBe(good);
      // Node and perl truncate the path alike, and leave what they made there.
      expect(readdirSync(directory).sort()).toEqual(['socket', basename(long)]);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  test('has nothing that a shell or ssh would take for something else', () => {
    const words = all.flatMap((helper) => helper).join(' ');
    expect(words).not.toMatch(/['!%\n]/);
    expect(helpersOf('darwin', 'node')[0]).toEqual(['/usr/bin/nc', '-U']);
  });

  test('is known again by the stanza', () => {
    const door = { doorSocket: '/etc/nix/linuxkit-builder/door/socket' };
    const stanza = (proxy?: string) =>
      sshConfig({
        port: 1,
        proxy,
        holdSeconds: 1,
        identityFile: 'a',
        knownHosts: 'b',
        takenBack: [],
      });
    const first = proxyCommand(
      helpersOf(process.platform, process.execPath)[0] ?? [],
      door.doorSocket,
    );
    expect(knownProxy({ door: 'unix' }, door, stanza('/x/nc -U /s'))).toBe('/x/nc -U /s');
    expect(knownProxy({ door: 'unix' }, door, stanza())).toBe(first);
    expect(knownProxy({ door: 'tcp' }, door, stanza('/x/nc -U /s'))).toBeUndefined();
  });
});

test('a stanza for a port is what it was', needs({ programs: ['ssh'] }), () => {
  const files = { identityFile: 'a', knownHosts: 'b' };
  const options = { port: 24083, holdSeconds: 180, takenBack: [], ...files };
  const [tcp, unix] = [sshConfig(options), sshConfig({ ...options, proxy: '/x/nc -U /s' })];
  const only = (one: string, other: string) =>
    one.split('\n').filter((line) => !other.split('\n').includes(line));
  expect(only(tcp, unix)).toEqual(['    Port 24083', '    ProxyCommand none']);
  expect(only(unix, tcp)).toEqual(['    ProxyCommand /x/nc -U /s', '    ProxyUseFdpass no']);
  const file = join(directory, 'config');
  writeFileSync(file, unix);
  const { stdout } = spawnSync('ssh', ['-G', '-F', file, 'nix-linuxkit'], { encoding: 'utf8' });
  expect(stdout).toContain('proxycommand /x/nc -U /s\n');
});
