import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { layoutOf, maxSocketPath } from '../../src/config/layout.ts';
import { ensureIdentity } from '../../src/guest/identity/identity.ts';
import { forwardFolders } from '../../src/guest/login/one-shot-forward.ts';
import { question } from '../../src/guest/login/nix-question.ts';
import { ProbeAnswer } from '../../src/guest/login/probe-answer.ts';
import { probeGuest, type ProbeOptions } from '../../src/guest/login/probe.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { needs } from '../needs.ts';
import { notYet, sshHint } from '../../src/guest/login/ssh-words.ts';
import { saying } from '../fakes/saying.ts';
import { removeTree } from '../remove-tree.ts';

let dir: string;
let layout: ReturnType<typeof layoutOf>;
const path = process.env['PATH'];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'probe-'));
  layout = layoutOf(join(dir, 'a state'));
  mkdirSync(join(dir, 'bin'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  process.env['PATH'] = path;
  removeTree(dir);
});

const options = (more: Partial<ProbeOptions> = {}): ProbeOptions => ({
  tunnel: { kind: 'tcp', host: '127.0.0.1', port: 9 },
  layout,
  clock: systemClock,
  signal: new AbortController().signal,
  timeoutMs: 10_000,
  ...more,
});

/** An ssh that notes its arguments, then does what is given: `$command` is what sshd would run. */
const fakeSsh = (body: string) => {
  const script = `#!/bin/sh\nprintf '%s\\n' "$@" > '${dir}/argv'\nfor command; do :; done\n${body}\n`;
  writeFileSync(join(dir, 'bin/ssh'), script);
  chmodSync(join(dir, 'bin/ssh'), 0o755);
  process.env['PATH'] = `${dir}/bin:${path ?? ''}`;
};
/** A guest's side: a shell whose `nix-daemon` is given. */
const guest = (nixDaemon: string) => {
  writeFileSync(join(dir, 'bin/nix-daemon'), `#!/bin/sh\n${nixDaemon}\n`);
  chmodSync(join(dir, 'bin/nix-daemon'), 0o755);
  fakeSsh('exec sh -c "$command"');
};
const nixReply = `printf 'oixd\\0\\0\\0\\0\\12\\1\\0\\0\\0\\0\\0\\0stla\\0\\0\\0\\0stla\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0'`;

const greeting = `printf 'oixd\\0\\0\\0\\0\\12\\1\\0\\0\\0\\0\\0\\0stla\\0\\0\\0\\0'`;
const refusal = `${greeting}; printf 'ptxc\\0\\0\\0\\0\\30\\0\\0\\0\\0\\0\\0\\0cannot connect to socket\\1\\0\\0\\0\\0\\0\\0\\0'`;

describe('a guest that Nix can use', () => {
  test('has a real nix daemon', needs({ programs: ['nix-daemon'] }), async () => {
    fakeSsh(`NIX_REMOTE='${dir}/store' exec sh -c "$command"`);
    const probe = await probeGuest(options());
    expect(probe).toMatchObject({ ok: true });
    // It is this machine's own clock, read at some moment of the probe.
    if (probe.ok) expect(Math.abs(probe.clockOffsetMs)).toBeLessThanOrEqual(probe.tookMs + 1);
  });

  test('gets the magic number before it is asked for an answer', async () => {
    guest(`head -c 8 > '${dir}/got'; ${nixReply}; exec cat > /dev/null`);
    expect(await probeGuest(options())).toMatchObject({ ok: true });
    expect(readFileSync(join(dir, 'got'), 'latin1')).toBe('cxin\0\0\0\0');
    expect(question.toString('latin1', 0, 8)).toBe('cxin\0\0\0\0');
  });

  test('is reached with our key and our known_hosts and nothing of the user', async () => {
    guest(`${nixReply}; exec cat > /dev/null`);
    await probeGuest(options({ timeoutMs: 4200 }));
    const argv = readFileSync(join(dir, 'argv'), 'utf8').trimEnd().split('\n');
    expect(argv).toEqual([
      '-F',
      'none',
      '-x',
      '-T',
      '-i',
      layout.clientKey,
      ...[
        'BatchMode=yes',
        'IdentitiesOnly=yes',
        'IdentityAgent=none',
        'PreferredAuthentications=publickey',
        'StrictHostKeyChecking=yes',
        `UserKnownHostsFile="${layout.knownHosts}"`,
        'GlobalKnownHostsFile=none',
        'UpdateHostKeys=no',
        'HostKeyAlias=nix-linuxkit',
        'ControlMaster=no',
        'ControlPath=none',
        'AddressFamily=inet',
        'ConnectTimeout=5',
        'LogLevel=ERROR',
      ].flatMap((setting) => ['-o', setting]),
      '-p',
      '9',
      '-l',
      'builder',
      '127.0.0.1',
      'date +%s.%N; exec nix-daemon --stdio',
    ]);
  });
});

test('a guest that no port leads to is reached by none, to which somebody else could come first', async () => {
  guest(`${nixReply}; exec cat > /dev/null`);
  const tunnel = { kind: 'unix', path: join(dir, 'sshd'), hello: '', answer: '' } as const;
  expect(await probeGuest(options({ tunnel }))).toMatchObject({ ok: true });
  const argv = readFileSync(join(dir, 'argv'), 'utf8').trimEnd().split('\n');
  expect(argv).not.toContain('-p');
  expect(argv.filter((word) => word.startsWith('ProxyCommand='))).toHaveLength(1);
});

// Behaviour 50: The guest becomes ready even if the host's directory for temporary files has been deleted, is full or
// is not writable.
describe('where no temporary files can be made', () => {
  const tunnel = { kind: 'unix', path: '/nobody', hello: '', answer: '' } as const;

  test('the socket is in /tmp, or in the state directory, where its path fits', async () => {
    vi.stubEnv('TMPDIR', join(dir, 'gone'));
    guest(`${nixReply}; exec cat > /dev/null`);
    expect(await probeGuest(options({ tunnel }))).toMatchObject({ ok: true });
    expect(readFileSync(join(dir, 'argv'), 'utf8')).toMatch(/ProxyCommand=.*\/tmp\/ssh-/);
    const long = layoutOf(join(dir, 'x'.repeat(maxSocketPath)).slice(0, maxSocketPath - 23));
    expect(long.control).toHaveLength(maxSocketPath);
    mkdirSync(long.state, { recursive: true });
    const folders = [join(dir, 'gone'), ...forwardFolders(long).slice(-1)];
    expect(await probeGuest(options({ tunnel, folders }))).toMatchObject({ ok: true });
    const [path = ''] = /[^' ]*\/ssh-[^' ]*/.exec(readFileSync(join(dir, 'argv'), 'utf8')) ?? [];
    expect(path.startsWith(`${long.state}/ssh-`)).toBe(true);
    expect(Buffer.byteLength(path.trimEnd())).toBeLessThanOrEqual(maxSocketPath);
    expect(readdirSync(long.state)).toEqual([]);
  });

  test('the guest is not ready yet, and can be asked again', async () => {
    guest(`${nixReply}; exec cat > /dev/null`);
    const folders = [join(dir, 'gone')];
    const words = { detail: expect.any(String) as string, hint: saying('') };
    const probe = await probeGuest(options({ tunnel, folders }));
    expect(probe).toEqual({ ok: false, requirement: 'ssh', ...words });
    mkdirSync(join(dir, 'gone'));
    expect(await probeGuest(options({ tunnel, folders }))).toMatchObject({ ok: true });
  });
});

// Behaviour 36: `ready` means that an ssh login like Nix's has reached the guest's nix-daemon, that nix-daemon has
// answered, and that the guest's clock is within 2 s of the host's.
describe('what is missing is named', () => {
  test.each<[string, string, string, RegExp]>([
    ['no nix there', 'exec no-such-program', 'nix', /no-such-program|not found/],
    ['another program', 'echo hello world', 'nix', /it answered "hello wo/],
    [
      'one that answers what a terminal obeys',
      `printf 'oh\\2338m\\302\\2332J\\r\\033[2J'; echo no`,
      'nix',
      /^it answered "oh[^\u0000-\u001f\u007f-\u009f]*$/,
    ],
    ['a daemon that ends at once', 'exit 3', 'nix', /code 3/],
    ['one that greets and is mute then', `${greeting}; exec sleep 60`, 'nix', /no answer within/],
    [
      'one that cannot reach the daemon behind it',
      `${refusal}; exec sleep 60`,
      'nix',
      /^"cannot connect to socket"$/,
    ],
    ['a daemon that complains', 'echo "error: no lock" >&2; exit 1', 'nix', /error: no lock/],
  ])('%s', async (_, daemon, requirement, detail) => {
    guest(daemon);
    const timeoutMs = daemon.startsWith(`${greeting}; exec`) ? 500 : 10_000;
    expect(await probeGuest(options({ timeoutMs }))).toMatchObject({
      ok: false,
      requirement,
      detail: expect.stringMatching(detail) as string,
    });
  });

  test.each<[string, string, RegExp, RegExp]>([
    [
      'key',
      'echo "builder@127.0.0.1: Permission denied (publickey)." >&2; exit 255',
      /denied/,
      /restart/,
    ],
    ['host', 'echo "Host key verification failed." >&2; exit 255', /verification/, /configure/],
    ['nothing', 'exit 255', /code 255 without a message/, /by hand/],
    ['killed', 'kill -9 $$', /SIGKILL/, /by hand/],
    ['a talking shell', 'echo "Welcome to Linux"; exec sh -c "$command"', /Welcome/, /login shell/],
    ['a talker without end', 'yes y | tr -d "\\n"', /yyyy/, /login shell/],
  ])('an ssh that does not get in: %s', async (_, body, detail, hint) => {
    fakeSsh(body);
    expect(await probeGuest(options())).toMatchObject({
      ok: false,
      requirement: 'ssh',
      detail: expect.stringMatching(detail) as string,
      hint: saying(hint),
    });
  });

  test('a clock that is off, and by how much', async () => {
    guest(`${nixReply}; exec cat > /dev/null`);
    const clock = new FakeClock(Date.now() + 3_600_000);
    expect(await probeGuest(options({ clock }))).toMatchObject({
      ok: false,
      requirement: 'clock',
      clockOffsetMs: expect.closeTo(-3_600_000, -4) as number,
      detail: expect.stringMatching(/3[56]\d\d\.\d s behind/) as string,
    });
    expect(clock.pending).toBe(0);
  });

  test('no ssh on this host', async () => {
    process.env['PATH'] = join(dir, 'bin');
    expect(await probeGuest(options())).toMatchObject({
      requirement: 'ssh-missing',
      failure: { kind: 'program-missing' },
    });
  });
});

describe('a silent guest', () => {
  test('before the login', async () => {
    fakeSsh('exec sleep 60');
    const clock = new FakeClock();
    const probing = probeGuest(options({ clock, timeoutMs: 5000 }));
    await clock.advance(5000);
    expect(await probing).toMatchObject({ requirement: 'ssh', detail: 'no answer within 5 s' });
  });

  test('after the login', async () => {
    guest('exec sleep 60');
    const clock = new FakeClock();
    // The time is asked for when the guest's has come.
    const dated = new Promise<void>((resolve) => {
      clock.now = () => {
        resolve();
        return Date.now();
      };
    });
    const probing = probeGuest(options({ clock, timeoutMs: 5000 }));
    await dated;
    await clock.advance(5000);
    expect(await probing).toMatchObject({ requirement: 'nix', detail: 'no answer within 5 s' });
  });

  test('the signal ends the probe, and ssh', async () => {
    fakeSsh(
      'trap "echo gone > $0.ended; exit" TERM; echo x > "$0.reached"; while :; do sleep 0.01; done',
    );
    const stop = new AbortController();
    const probing = probeGuest(options({ signal: stop.signal }));
    await appears(`${dir}/bin/ssh.reached`);
    stop.abort(new Error('stopped'));
    await expect(probing).rejects.toThrow('stopped');
    await appears(`${dir}/bin/ssh.ended`);
    await expect(probeGuest(options({ signal: stop.signal }))).rejects.toThrow('stopped');
  });
});

describe('the real ssh', () => {
  const listen = async (greeting: string): Promise<[Server, number]> => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end(greeting);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return [server, typeof address === 'object' && address !== null ? address.port : 0];
  };

  test.each([
    ['closes at once', '', /closed|reset|banner/i],
    ['is no sshd', 'HTTP/1.1 400 Bad Request\r\n\r\n', /banner|exchange|closed|reset/i],
  ])('takes our options; what listens %s', async (_, greeting, detail) => {
    await ensureIdentity(layout);
    const [server, port] = await listen(greeting);
    const tunnel = { kind: 'tcp', host: '127.0.0.1', port } as const;
    expect(await probeGuest(options({ tunnel }))).toMatchObject({
      requirement: 'ssh',
      detail: expect.stringMatching(detail) as string,
      hint: notYet,
    });
    server.close();
  });

  test('comes to a socket', async () => {
    await ensureIdentity(layout);
    const at = join(dir, 'sshd');
    let heard = '';
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (chunk: Buffer) => {
        heard += chunk.toString('latin1');
        if (heard.includes('SSH-')) socket.end('no greeting\r\n');
      });
    });
    await new Promise<void>((resolve) => server.listen(at, resolve));
    const tunnel = { kind: 'unix', path: at, hello: 'hello\n', answer: '' } as const;
    expect(await probeGuest(options({ tunnel }))).toMatchObject({ requirement: 'ssh' });
    expect(heard).toMatch(/^hello\nSSH-2\.0-/);
    server.close();
  });

  test('nobody listens', async () => {
    const [server, port] = await listen('');
    await new Promise((resolve) => server.close(resolve));
    const tunnel = { kind: 'tcp', host: '127.0.0.1', port } as const;
    expect(await probeGuest(options({ tunnel }))).toMatchObject({
      requirement: 'ssh',
      hint: sshHint('refused'),
    });
  });
});

test.each([
  ['1767323045.250000000\n', 250],
  ['1767323045\n', 500],
  ['1767323045.N\n', 500],
  ['1767323045.%N\r\n', 500],
])('the date %j', (line, offset) => {
  const answer = new ProbeAnswer(new FakeClock(1_767_323_045_000));
  for (const byte of Buffer.from(line)) answer.take(Buffer.of(byte));
  expect(answer.clockOffsetMs()).toBeCloseTo(offset, 3);
  expect(answer.isGarbled).toBe(false);
});

/** Resolves when a file is there. */
async function appears(file: string): Promise<void> {
  for (;;) {
    try {
      if (readFileSync(file).length > 0) return;
    } catch {
      // Not yet.
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}
