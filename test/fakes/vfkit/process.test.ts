/** The rows of vfkit's table that need its process. Where there is a guest it is a few instructions that QEMU runs. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/system/time/clock.ts';
import { until } from '../../../src/system/time/wait.ts';
import { makeProgram } from '../../rig/stand-in.ts';
import { rows } from './rows.ts';
import type { Switches } from './switches.ts';
import { tinyKernels } from './tiny-kernel.ts';
import { isMet, needs, type Need } from '../../needs.ts';
import { removeTree } from '../../remove-tree.ts';

let dir = '';
let program = '';
let said = '';
let told = '';
const children: ChildProcess[] = [];
const at = (name: string) => join(dir, name);
const tools: Need = { programs: ['setpriv', 'python3', 'qemu-system-aarch64', 'flock'] };

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'vf-'));
  if (!isMet(tools)) return;
  program = await makeProgram(dir, 'vfkit');
  writeFileSync(at('kernel'), tinyKernels.waits);
  writeFileSync(at('off'), tinyKernels.off);
  writeFileSync(at('reset'), tinyKernels.reset);
  writeFileSync(at('initrd'), Buffer.alloc(512));
  writeFileSync(at('disk'), Buffer.alloc(4096));
});
afterAll(() => removeTree(dir));
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const name of ['pid', 'rest', 'a b', 'log', 'ssh', 'net', 'long']) removeTree(at(name));
  for (const name of ownSockets()) rmSync(at(name));
});

/** The card's own names that are left beside its peer. */
const ownSockets = () => readdirSync(dir).filter((name) => name.startsWith('vfkit-'));

function begin(argv: readonly string[], switches: Switches = {}): ChildProcess {
  [said, told] = ['', ''];
  writeFileSync(`${program}.switches`, JSON.stringify({ arch: 'arm64', bare: true, ...switches }));
  // It must not outlive the tests, however they end.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => (told += chunk.toString()));
  children.push(child);
  return child;
}
const end = (child: ChildProcess) =>
  once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);
const ends = (argv: readonly string[], switches?: Switches) => end(begin(argv, switches));
const boot = (image: string, ...more: readonly string[]) => [
  '-b',
  `linux,kernel=${at(image)},initrd=${at('initrd')},cmdline=x`,
  ...more,
];
const device = (text: string) => boot('kernel', '-d', text);
const fact = (holds: () => boolean) =>
  until(holds, { clock: systemClock, everyMs: 5, timeoutMs: 50_000 }).then((came) =>
    expect(came, said).toBe('held'),
  );
const running = () => fact(() => said.includes('waiting for VM to stop'));
const rest = () => ['--restful-uri', `unix://${at('rest')}`];

/** Status and body; a status of 0 where the reply was cut. */
function ask(method: string, path: string, body = ''): Promise<readonly [number, string]> {
  return new Promise((resolve) => {
    const asked = request({ socketPath: at('rest'), method, path }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve([response.statusCode ?? 0, text]));
    });
    asked.on('error', () => resolve([0, '']));
    asked.end(body);
  });
}
const wish = (state: string) => ask('POST', '/vm/state', JSON.stringify({ state }));

/** A peer that takes datagrams, or a file that is left of one. */
async function peer(isAlive: boolean): Promise<() => string> {
  const script = `import socket,sys
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("ready",flush=True)
${isAlive ? 'print(s.recvfrom(99),flush=True); sys.stdin.read()' : ''}`;
  const child = spawn('python3', ['-c', script, at('net')], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  let heard = '';
  child.stdout.on('data', (chunk: Buffer) => (heard += chunk.toString()));
  // It may be gone before its word is read.
  const gone = once(child, 'exit');
  await fact(() => heard.includes('ready'));
  if (!isAlive) await gone;
  return () => heard;
}

type Play = () => Promise<void>;

const plays: Readonly<Record<string, Play>> = {
  'odd sizes': async () => {
    for (const size of [
      ['-c', '0'],
      ['-c', '20000'],
      ['-m', '0'],
    ])
      expect(await ends(boot('kernel', ...size))).toBe(1);
    expect(said).toContain('VZErrorDomain Code=2');
    // The text, usage, the text again; a framework's ends in a brace.
    const text = said.slice(said.indexOf('Error: ') + 7, said.indexOf('\nUsage:'));
    expect(text).toMatch(/}$/);
    expect(said.trimEnd().endsWith(text)).toBe(true);
    const child = begin(boot('off', '-c', '20000'), { oddSizes: 'taken' });
    expect(await end(child), said).toBe(0);
  },
  'a file as a block device': async () => {
    expect(await ends(device(`virtio-blk,path=${at('disk')},type=dev`))).toBe(1);
    expect(said).toContain('is not a block device');
  },
  'a disk that another has locked': async () => {
    const disk = ['-d', `virtio-blk,path=${at('disk')}`];
    const first = begin(boot('kernel', ...disk));
    await running();
    expect(await ends(boot('kernel', ...disk))).toBe(1);
    expect(said).toContain('The storage device attachment is invalid.');
    const second = begin(boot('kernel', ...disk, ...rest()), { lockedDisk: 'hangs' });
    await fact(() => existsSync(at('rest')));
    expect((await ask('GET', '/vm/state'))[1]).toContain('VirtualMachineStateStarting');
    second.kill('SIGTERM');
    await fact(() => said.includes('captured terminated'));
    second.kill('SIGKILL');
    expect(await end(second)).toBe('SIGKILL');
    first.kill('SIGKILL');
    await fact(() => spawnSync('flock', ['-n', at('disk'), 'true']).status === 0);
  },
  'no peer': async () => {
    const net = ['-d', `virtio-net,unixSocketPath=${at('net')}`, '--pidfile', at('pid')];
    expect(await ends(boot('kernel', ...net))).toBe(1);
    expect(said).toMatch(/dial unixgram \S+->\S+: connect: no such file or directory/);
    expect(readFileSync(at('pid'), 'utf8')).toMatch(/^\d+$/);
  },
  'a dead peer': async () => {
    await peer(false);
    const net = ['-d', `virtio-net,unixSocketPath=${at('net')}`];
    expect(await ends(boot('kernel', ...net))).toBe(1);
    expect(said).toContain('connection refused');
    expect(await ends(boot('off', ...net), { deadPeer: 'taken' }), said).toBe(0);
  },
  'a long directory': async () => {
    const long = join(dir, 'long', 'd'.repeat(90 - dir.length));
    mkdirSync(long, { recursive: true });
    expect(await ends(device(`virtio-net,unixSocketPath=${long}/n`))).toBe(1);
    expect(said).toMatch(/unixgram path \S+ is too long/);
  },
  'a terminal that is none': async () => {
    expect(await ends(device('virtio-serial,stdio'))).toBe(1);
    expect(said).toContain('inappropriate ioctl');
  },
  'a log of an earlier run': async () => {
    writeFileSync(at('log'), 'the words of an earlier run');
    const serial = ['-d', `virtio-serial,logFilePath=${at('log')}`];
    // Also where a later device fails.
    expect(await ends(boot('kernel', ...serial, '-d', 'virtio-fs'))).toBe(1);
    expect(statSync(at('log')).size).toBe(0);
  },
  'sockets that cannot be made': async () => {
    writeFileSync(at('ssh'), '');
    const sockets = [`${dir}/a b/s`, `${dir}/é/s`, `${dir}/%`, 'relative', at('ssh')];
    const vsock = sockets.flatMap((path, n) => [
      '-d',
      `virtio-vsock,port=${n + 1},socketURL=${path},connect`,
    ]);
    const child = begin(boot('kernel', ...vsock, ...rest()));
    await running();
    for (const n of sockets.keys()) expect(said).toContain(`error exposing vsock port ${n + 1}`);
    await wish('HardStop');
    expect(await end(child)).toBe(0);
  },
  'a pidfile beside a bad device': async () => {
    expect(await ends(boot('kernel', '--pidfile', at('pid'), '-d', 'bogus'))).toBe(1);
    expect(statSync(at('pid')).mode & 0o777).toBe(0o600);
    expect(readFileSync(at('pid'), 'utf8')).toMatch(/^\d+$/);
  },
  'nested where it cannot be': async () => {
    expect(await ends(boot('kernel', '--nested', '--pidfile', at('pid')))).toBe(1);
    expect(said).toContain('nested virtualization is not supported');
    expect(existsSync(at('pid'))).toBe(false);
  },
  'a server of nothing': async () => {
    expect(await ends(boot('kernel', '--restful-uri', 'none:///'))).toBe(1);
    expect(said).toMatch(/level=fatal msg="<nil>"\n$/);
  },
  'an escaped path': async () => {
    const child = begin(boot('kernel', '--restful-uri', `unix://${dir}/a%20b`));
    await fact(() => existsSync(at('a b')));
    child.kill('SIGKILL');
    await end(child);
    expect(existsSync(at('a b'))).toBe(true);
  },
  'a socket that is there already': async () => {
    const heard = await peer(true);
    writeFileSync(at('rest'), '');
    const net = ['-d', `virtio-net,unixSocketPath=${at('net')}`];
    expect(await ends(boot('kernel', ...net, ...rest()))).toBe(1);
    expect(said).toContain('bind: address already in use');
    expect(said).not.toContain('Usage:');
    expect(heard()).toContain(`(b'VFKT', '${dir}/vfkit-`);
    expect(ownSockets()).toHaveLength(1);
  },
  unsigned: async () => {
    expect(await ends(boot('kernel'), { unsigned: true })).toBe(1);
    expect(said).toContain('“com.apple.security.virtualization”');
  },
  SIGTERM: async () => {
    const obeying = begin(boot('off'));
    expect(await end(obeying), said).toBe(0);
    const child = begin(boot('kernel', ...rest()), { patienceMs: 200 });
    await running();
    child.kill('SIGTERM');
    await fact(() => said.includes('captured terminated, calling exit handlers and exiting..'));
    expect(await end(child)).toBe(0);
    expect(existsSync(at('rest'))).toBe(false);
    const stuck = begin(boot('kernel', ...rest()), { sigterm: 'hangs', canRequestStop: false });
    await running();
    stuck.kill('SIGTERM');
    await fact(() => said.includes('captured terminated'));
    while (!(await ask('GET', '/vm/state'))[1].includes('VirtualMachineStateStopped'));
    stuck.kill('SIGKILL');
    expect(await end(stuck)).toBe('SIGKILL');
    const old = begin(boot('kernel'), { version: '0.6.1' });
    await running();
    old.kill('SIGTERM');
    expect(await end(old)).toBe(1);
  },
  HardStop: async () => {
    const child = begin(boot('kernel', ...rest()));
    await running();
    expect((await wish('HardStop'))[0]).toBe(0);
    expect(await end(child)).toBe(0);
    expect(existsSync(at('rest'))).toBe(false);
    const polite = begin(boot('kernel', ...rest()), { hardStopReply: 'sent' });
    await running();
    expect((await wish('HardStop'))[0]).toBe(202);
    expect(await end(polite)).toBe(0);
  },
  'a reboot': async () => {
    const child = begin(boot('reset', ...rest()));
    await running();
    expect((await ask('GET', '/vm/state'))[1]).toContain('VirtualMachineStateRunning');
    expect(child.exitCode).toBeNull();
    child.kill('SIGKILL');
    expect(await ends(boot('reset'), { reboot: 'ends' })).toBe(0);
  },
};

describe('in a process', needs(tools), () => {
  const played = rows.flatMap((row) => ('play' in row ? [row] : []));
  test('each row that needs one has its play, and no play is without a row', () =>
    expect(Object.keys(plays).sort()).toEqual(played.map((row) => row.play).sort()));
  test.each(played)('row $n: $play', async ({ play }) => {
    await plays[play]?.();
  });

  test('REST: its routes, codes and bodies, and a line of gin for each', async () => {
    const child = begin(boot('kernel', ...rest(), '-d', 'virtio-rng'));
    await running();
    expect(await ask('GET', '/vm/state')).toEqual([
      200,
      '{"canHardStop":true,"canPause":true,"canResume":false,"canStart":false,"canStop":true,"state":"VirtualMachineStateRunning"}',
    ]);
    expect((await ask('GET', '/vm/inspect'))[1]).toContain('"vcpus":1,"memoryBytes":536870912');
    expect((await ask('GET', '/vm/state/'))[0]).toBe(301);
    expect((await ask('POST', '/vm/state/'))[0]).toBe(307);
    expect(await ask('GET', '/')).toEqual([404, '404 page not found']);
    expect(await ask('POST', '/vm/state')).toEqual([400, '{"error":"EOF"}']);
    for (const body of ['stop', '[]', '{"state":1}'])
      expect((await ask('POST', '/vm/state', body))[0], body).toBe(400);
    for (const body of ['{}', 'null', '{"state":"stop"}'])
      expect((await ask('POST', '/vm/state', body))[0], body).toBe(500);
    expect((await wish('Resume'))[1]).toContain('VZErrorDomain Code=4');
    expect((await ask('POST', '/vm/state', '{"State":"Pause","x":1} and more'))[0]).toBe(202);
    expect((await ask('GET', '/vm/state'))[1]).toContain('VirtualMachineStatePaused');
    expect((await wish('Resume'))[0]).toBe(202);
    // The kernel has no driver for the button: nothing happens.
    expect(await wish('Stop')).toEqual([202, '']);
    await fact(() => told.split('\n[GIN] ').length === 17);
    expect(told).toMatch(/^\[GIN\] \S+ - \S+ \| 200 \|/);
    expect(child.exitCode).toBeNull();
  });

  test('a VM that never runs: no instruction of its guest is run', async () => {
    // This one would be off at once.
    expect(await ends(boot('off'), { neverRuns: true, patienceMs: 1_000 })).toBe(1);
    expect(said).toContain('timeout waiting for VM state VirtualMachineStateRunning');
  });

  test('a vsock port without a listener: a connection that ends, and a line of the proxy', async () => {
    const vsock = `virtio-vsock,port=22,socketURL=${at('ssh')},connect`;
    begin(boot('kernel', '-d', vsock));
    await running();
    const client = connect(at('ssh'));
    await once(client, 'close');
    await fact(() => said.includes('tcpproxy: for incoming conn'));
  });

  test('a lock that outlives a killed vfkit', async () => {
    const disk = ['-d', `virtio-blk,path=${at('disk')}`];
    const child = begin(boot('kernel', ...disk), { lockLingersMs: 300 });
    await running();
    child.kill('SIGKILL');
    await end(child);
    expect(spawnSync('flock', ['-n', at('disk'), 'true']).status).toBe(1);
    await fact(() => spawnSync('flock', ['-n', at('disk'), 'true']).status === 0);
  });
});
