import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/system/time/clock.ts';
import { until } from '../../../src/system/time/wait.ts';
import { makeProgram } from '../stand-in.ts';
import { removeTree } from '../../remove-tree.ts';

let dir = '';
let program = '';
let child: ChildProcess | undefined;
let said = '';
const at = (name: string) => join(dir, name);

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hk-'));
  program = await makeProgram(dir, 'hyperkit');
  writeFileSync(at('disk'), '');
});
afterAll(() => removeTree(dir));
afterEach(() => {
  child?.kill('SIGKILL');
  for (const name of ['pid', 'ring', 'tty', 'connect', 'eth']) removeTree(at(name));
});

function begin(...argv: string[]): Promise<number | string> {
  said = '';
  const process = (child = spawn(program, argv, { stdio: ['ignore', 'ignore', 'pipe'] }));
  process.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return once(process, 'close').then(([code, signal]) => (code ?? signal) as number | string);
}
const fact = (holds: () => boolean) =>
  until(holds, { clock: systemClock, everyMs: 5, timeoutMs: 50_000 }).then((came) =>
    expect(came).toBe('held'),
  );
const kexec = ['-f', `kexec,/no/kernel,/no/initrd`];
const hangs = () => ['-s', `1,virtio-vpnkit,path=${at('eth')}`, ...kexec];

describe('how it ends', () => {
  test('a kernel that is not there: SIGABRT, after the devices were made, and the pidfile stays', async () => {
    const serial = ['-s', '31,lpc', '-l', `com1,autopty=${at('tty')},log=${at('ring')}`];
    expect(await begin('-F', at('pid'), ...serial, ...kexec)).toBe('SIGABRT');
    expect(said).toContain('kexec: failed to load kernel /no/kernel');
    expect(statSync(at('ring')).size).toBe(65_536);
    expect(readFileSync(at('tty'), 'utf8')).toMatch(/^\/dev\/ttys\d+$/);
    expect(existsSync(at('pid'))).toBe(true);
  });
  test.each([
    ['is no bzImage', 'a text', 0x020a],
    ['has too old a boot protocol', 'HdrS', 0x0209],
  ])('a kernel that %s: SIGABRT', async (_, magic, version) => {
    writeKernel(magic, version);
    expect(await begin('-f', `kexec,${at('kernel')}`)).toBe('SIGABRT');
    expect(said).toContain(`kexec: failed to load kernel ${at('kernel')}`);
  });
  test('an initrd that is not there: SIGABRT', async () => {
    writeKernel('HdrS', 0x020a);
    expect(await begin('-f', `kexec,${at('kernel')},/no/initrd`)).toBe('SIGABRT');
    expect(said).toContain('kexec: failed to load initrd /no/initrd');
  });
  test('an option of the network card that it does not know: SIGSEGV, and the pidfile stays', async () => {
    const card = ['-s', '1,virtio-vpnkit,preferred_ip=192.168.65.3'];
    expect(await begin('-F', at('pid'), ...card, ...kexec)).toBe('SIGSEGV');
    expect(existsSync(at('pid'))).toBe(true);
  });
  test('an option of a later device that it does not know: 1, and the earlier ones were made', async () => {
    const sock = ['-s', `3,virtio-sock,guest_cid=3,path=${dir}`];
    const cd = ['-s', `4,ahci-cd,${at('disk')},nocache`];
    expect(await begin('-F', at('pid'), ...cd, ...sock, ...kexec)).toBe(1);
    expect(existsSync(at('connect'))).toBe(true);
    expect(existsSync(at('pid'))).toBe(false);
  });
  test('a disk that may not be written is taken read-only without a word, and shared', async () => {
    // A program that runs may not be written by anybody, not even by root.
    copyFileSync('/bin/sleep', at('busy'));
    const busy = spawn(at('busy'), ['1000']);
    await once(busy, 'spawn');
    const drive = ['-s', `0,virtio-blk,${at('busy')}`];
    const first = begin(...drive, ...hangs());
    const other = child;
    await fact(() => isLocked(at('busy')));
    expect(await begin(...drive, ...kexec)).toBe('SIGABRT');
    expect(said).not.toContain('backing file');
    other?.kill('SIGKILL');
    busy.kill();
    expect(await first).toBe('SIGKILL');
  });
  test('a uuid that is none: SIGABRT', async () =>
    expect(await begin('-U', 'none', ...kexec)).toBe('SIGABRT'));
  test.each([
    ['e', 'SIGABRT'],
    ['F', 'SIGABRT'],
    ['d', 'runs'],
    ['0', 'runs'],
  ])('a uuid whose 17th digit is %s: %s', async (digit, end) => {
    const uuid = `c3d68012-0208-11ea-${digit}fd7-f2189899ab08`;
    expect(await begin('-U', uuid, ...kexec)).toBe('SIGABRT');
    // Where it runs it comes to its kernel, which is not there.
    expect(said.includes('kexec: failed')).toBe(end === 'runs');
  });
  test('a pidfile that is there, even an empty one: 1', async () => {
    writeFileSync(at('pid'), '');
    expect(await begin('-F', at('pid'), ...kexec)).toBe(1);
    expect(said).toContain('Failed to set up pidfile');
    expect(readFileSync(at('pid'), 'utf8')).toBe('');
  });
  test('a disk that is not there: 1, and the pidfile goes', async () => {
    expect(await begin('-F', at('pid'), '-s', `2,virtio-blk,${at('none')}`, ...kexec)).toBe(1);
    expect(existsSync(at('pid'))).toBe(false);
  });
  test('a disk that another has locked: 1', async () => {
    const first = begin('-s', `0,virtio-blk,${at('disk')}`, ...hangs());
    const other = child;
    await fact(() => isLocked(at('disk')));
    expect(await begin('-s', `0,virtio-blk,${at('disk')}`, ...kexec)).toBe(1);
    expect(said).toContain('Could not lock backing file');
    other?.kill('SIGKILL');
    expect(await first).toBe('SIGKILL');
  });
  test('a vsock directory that is not there: 1', async () =>
    expect(await begin('-s', `3,virtio-sock,guest_cid=3,path=${at('none')}`, ...kexec)).toBe(1));
  test('a serial port with a log alone: 1', async () => {
    expect(await begin('-s', '31,lpc', '-l', `com1,log=${at('ring')}`, ...kexec)).toBe(1);
    expect(said).toContain('Unable to initialize backend');
  });
  test.each([
    ['ring', () => `com1,autopty=${at('tty')},log=${at('none/ring')}`, 'open console-ring: '],
    [
      'terminal',
      () => `com1,autopty=${at('none/tty')},log=${at('ring')}`,
      'creating autopty file: ',
    ],
  ])(
    'a serial port whose %s cannot be made: it runs on, without a console',
    async (_, port, says) => {
      expect(await begin('-s', '31,lpc', '-l', port(), ...kexec)).toBe('SIGABRT');
      expect(said).toContain(says);
      expect(said).toContain('kexec: failed to load kernel');
      expect(existsSync(at('ring'))).toBe(false);
    },
  );
  test('a directory with = in its name', async () => {
    const odd = at('a=b');
    mkdirSync(odd, { recursive: true });
    const serial = ['-s', '31,lpc', '-l', `com1,autopty=${odd}/tty,log=${odd}/ring`];
    const sock = ['-s', `3,virtio-sock,guest_cid=3,path=${odd}`];
    expect(await begin(...serial, ...sock, ...kexec)).toBe('SIGABRT');
    expect(readdirSync(odd).sort()).toEqual(['connect', 'ring', 'tty']);
  });
  test('SIGTERM before the guest has ACPI: death, and the pidfile stays', async () => {
    const ended = begin('-A', '-F', at('pid'), ...hangs());
    await fact(
      () => existsSync(at('pid')) && readFileSync(at('pid'), 'utf8') === String(child?.pid),
    );
    child?.kill('SIGTERM');
    expect(await ended).toBe('SIGTERM');
    expect(existsSync(at('pid'))).toBe(true);
  });
});

describe('a network that is not there', () => {
  test('is tried for ever and without a word; and no later device is made', async () => {
    const sock = ['-s', `3,virtio-sock,guest_cid=3,path=${dir}`];
    const ended = begin('-F', at('pid'), ...sock, ...hangs());
    await fact(() => existsSync(at('pid')));
    expect(said).toBe('');
    expect(existsSync(at('connect'))).toBe(false);
    const server = createServer((socket) => {
      const reply = Buffer.alloc(258);
      Buffer.from('01dc050e06025000000001', 'hex').copy(reply);
      socket.once('data', (init) => {
        socket.write(init);
        socket.once('data', () => socket.write(reply));
      });
    }).listen(at('eth'));
    expect(await ended).toBe('SIGABRT');
    expect(existsSync(at('connect'))).toBe(true);
    server.close();
  });
  test('that refuses is asked again, ten times a second, with a word each time', async () => {
    const server = createServer((socket) => {
      const reply = Buffer.alloc(258);
      Buffer.from('0203616263', 'hex').copy(reply);
      socket.on('error', () => undefined);
      socket.once('data', (init) => {
        socket.write(init);
        socket.once('data', () => socket.end(reply));
      });
    }).listen(at('eth'));
    void begin(...hangs());
    await fact(() => (said.match(/server disconnected: abc/g) ?? []).length >= 3);
    server.close();
  });
});

/** As much of a kernel as kexec looks at: setup header of the x86 boot protocol. */
function writeKernel(magic: string, version: number): void {
  const head = Buffer.alloc(0x1000);
  head.write(magic, 0x202);
  head.writeUInt16LE(version, 0x206);
  writeFileSync(at('kernel'), head);
}

/** flock(2) as /proc/locks tells it. */
function isLocked(path: string): boolean {
  const { ino } = statSync(path);
  return readFileSync('/proc/locks', 'utf8').includes(`:${ino} `);
}
