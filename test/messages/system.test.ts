import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { buildBinary } from 'plist';
import { plainly } from '../../src/system/advice.ts';
import { failureOf } from '../../src/system/failure.ts';
import { unread as unreadFile, wordsFor } from '../../src/system/files/barrier.ts';
import { cannotWrite } from '../../src/system/files/cannot-write.ts';
import { OthersFiles } from '../../src/system/files/others-files.ts';
import { reasons, refusal, usualReasons } from '../../src/system/files/reasons.ts';
import { temporaryFolder } from '../../src/system/files/temporary.ts';
import { supported } from '../../src/system/host/host.ts';
import { loopbackDown, loopbackSilent } from '../../src/system/host/loopback.ts';
import {
  endOf,
  flockKilled,
  flockNotStarted,
  flockUnfit,
  noDevices,
  unresponsive,
} from '../../src/system/lock/flock.ts';
import { childLockHeld, lockIsLink, lockLost, noLocks } from '../../src/system/lock/lock.ts';
import { programMissing } from '../../src/system/process/find-program.ts';
import { neverRan } from '../../src/system/process/never-ran.ts';
import { locksNothing } from '../../src/system/process/node-trial.ts';
import { noProc } from '../../src/system/process/process.ts';
import { dial } from '../../src/system/socket/dial.ts';
import { JsonLines } from '../../src/system/socket/json-lines.ts';
import { fdOf, withSockets } from '../../src/system/socket/listening.ts';
import { readPlist } from '../../src/system/plist.ts';
import { directoryShownAs, shownAs, tells } from './tell.ts';

const tree = directoryShownAs('/there');
shownAs(process.version, 'v24.0.0');
const errorOf = (code: string) => Object.assign(new Error(code), { code });
const written = (code: string) => cannotWrite(join(tree, 'file'), errorOf(code), () => false);

/** Why a file of others cannot be read. */
function unread(name: string, make: (path: string) => unknown): string | undefined {
  const path = join(tree, name);
  make(path);
  const files = new OthersFiles();
  files.read(path);
  return files.unread.get(path);
}

/** The same of a property list. */
function unreadPlist(name: string, content: string | Uint8Array): string | undefined {
  const path = join(tree, name);
  writeFileSync(path, content);
  const files = new OthersFiles();
  readPlist(path, files);
  return files.unread.get(path);
}

/** What is said of a connection over which this comes, or on which that is sent. */
function lineTold(comes: string | undefined, options: { readonly maxUnreadBytes?: number } = {}) {
  return new Promise<string>((resolve, reject) => {
    const socket = new Duplex({ read: () => undefined, write: () => undefined });
    const lines = new JsonLines(socket as unknown as Socket, {
      maxLineBytes: 20,
      maxDepth: 1,
      onBroken: resolve,
      onClosed: resolve,
      ...options,
      onValue: (value) => {
        if (value === 7) throw new RangeError('too much');
        reject(new Error(String(value)));
      },
    });
    if (comes === undefined) lines.send('not read');
    else socket.push(comes);
    if (comes === '') socket.destroy();
  });
}

/** Why a connection with a greeting fails, where this is answered. */
async function dialled(answer: string): Promise<unknown> {
  const path = join(tree, 'dial');
  const server = createServer((socket) => socket.end(answer)).listen(path);
  await once(server, 'listening');
  try {
    const address = { kind: 'unix', path, hello: 'CONNECT 22\n', answer: 'OK' } as const;
    await dial(address, new AbortController().signal);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    server.close();
  }
}

const words = (table: Readonly<Record<string, string>>, told: (code: string) => unknown) =>
  Object.fromEntries(Object.keys(table).map((code) => [code, () => told(code)]));

tells('system', {
  'A bug': { 'an exception that nobody expects': () => failureOf(new Error('x is undefined')) },
  'An upgrade while a command runs': {
    'a part of the program is gone': () => {
      const message = "Cannot find module './ask-daemon.js'\nRequire stack:\n- /dist/main.js";
      return failureOf(Object.assign(new Error(message), { code: 'MODULE_NOT_FOUND' }));
    },
  },
  Memory: { 'has run out': () => failureOf(errorOf('ENOMEM')) },
  'A file cannot be written': {
    ...words(reasons, written),
    'ENOSPC, and there is room but no inode': () =>
      cannotWrite(join(tree, 'file'), errorOf('ENOSPC'), () => true),
    'EFBIG, by a limit': () =>
      cannotWrite(
        join(tree, 'file'),
        errorOf('EFBIG'),
        () => false,
        () => 3 * 1024 * 1024,
      ),
    'EFBIG, by a small limit': () =>
      cannotWrite(
        join(tree, 'file'),
        errorOf('EFBIG'),
        () => false,
        () => 512,
      ),
    'its directory is root’s': () => wordsFor({ folder: '/there', owner: 0 }),
    'its directory is another user’s': () => wordsFor({ folder: '/there', owner: 501 }),
    'its directory is closed': () => wordsFor({ folder: '/there' }),
    'in the directory for temporary files': () => {
      const before = process.env['TMPDIR'];
      process.env['TMPDIR'] = join(tree, 'no-such');
      try {
        return temporaryFolder('x-');
      } finally {
        if (before === undefined) delete process.env['TMPDIR'];
        else process.env['TMPDIR'] = before;
      }
    },
  },
  'A file cannot be read': {
    'its mode is in the way': () => unreadFile('/builder/config.json', 'EACCES'),
    'it is root’s, in a directory of the user’s': () =>
      unreadFile('/builder/config.json', 'EACCES', {
        uid: 0,
        path: '/builder/config.json',
        place: 'ours',
      }),
    'it is another user’s, as is its directory': () =>
      unreadFile('/builder/nix-state/daemon.log', 'EACCES', {
        uid: 347,
        path: '/builder/nix-state',
        place: 'theirs',
      }),
    'it is root’s, elsewhere': () => {
      const path = '/etc/nix/linuxkit-builder/installed.json';
      return unreadFile(path, 'EACCES', { uid: 0, path, place: 'other' });
    },
    'macOS protects it': () => unreadFile('/Volumes/Disk/builder/config.json', 'EPERM'),
    'too many files are open': () => unreadFile('/builder/config.json', 'EMFILE'),
    'too many files are open on the machine': () => unreadFile('/builder/config.json', 'ENFILE'),
    'it is a directory': () => unreadFile('/builder/config.json', 'EISDIR'),
    'its disk is broken': () => unreadFile('/builder/config.json', 'EIO'),
  },
  'Anything else that the system refuses': words(usualReasons, refusal),
  'A file of others cannot be read': {
    'it is a directory': () => unread('directory', mkdirSync),
    'it is a fifo': () => unread('fifo', (path) => execFileSync('mkfifo', [path])),
    'it is larger than any settings': () =>
      unread('large', (path) => {
        writeFileSync(path, '');
        truncateSync(path, 17 * 1024 ** 2);
      }),
    'its links lead round in a circle': () => unread('loop', (path) => symlinkSync('loop', path)),
    'it is no property list': () => unreadPlist('text', 'Label = a'),
    'it is a binary property list': () => unreadPlist('binary', buildBinary({ Label: 'a' })),
  },
  'The host': {
    'is of no kind that we run on': () => supported('ppc64', 'aix'),
    'shows no processes': () => noProc('ENOENT'),
    'cannot connect to itself': () => loopbackDown('linux'),
    'cannot connect to itself, on a Mac': () => loopbackDown('darwin'),
    'does not answer itself': () => loopbackSilent,
  },
  Locks: {
    'the file system has none': () => noLocks('/there/lock', 'flock: No locks available'),
    'flock hangs': () => noLocks('/there/lock', unresponsive),
    'flock exits without a word': () => noLocks('/there/lock', endOf(1)),
    'no program can be started': () => noDevices,
    'flock is killed': () => flockKilled('SIGKILL'),
    'flock is killed by a sandbox': () => flockKilled('SIGSYS'),
    ...Object.fromEntries(
      ['EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM', 'EACCES'].map((code) => [
        `flock cannot be started: ${code}`,
        () => flockNotStarted(errorOf(code)),
      ]),
    ),
    'flock is another program': () =>
      flockUnfit('flock: invalid option: E\nmore\n', '/usr/local/bin/flock').message,
    'flock is another program: what to do': () =>
      plainly(flockUnfit('', '/usr/local/bin/flock').hint).replace(
        /^.*?,/,
        'Install it: apt-get install util-linux,',
      ),
    'of a child is held by another one': () => childLockHeld('/builder/nix-state/vm.lock'),
    'is a link': () => lockIsLink('/builder/nix-state/daemon.lock'),
    'of a section was taken away': () => lockLost('/builder/nix-state/start'),
  },
  'A program is missing': {
    ...Object.fromEntries(
      ['qemu-system-x86_64', 'ssh', 'nix-build', 'hyperkit', 'vfkit', 'vpnkit', 'gvproxy'].flatMap(
        (name) => [
          [`${name}, on Debian`, () => programMissing(name, 'apt-get', 'linux')],
          [`${name}, on a Mac`, () => programMissing(name, 'brew', 'darwin')],
        ],
      ),
    ),
    'ssh, where no package manager is known': () => programMissing('ssh', null, 'linux'),
    'ssh-keygen, on Alpine': () => programMissing('ssh-keygen', 'apk', 'linux'),
    'mksquashfs, on NixOS': () => programMissing('mksquashfs', 'nix-env', 'linux'),
    'mksquashfs, on a Mac without Homebrew': () => programMissing('mksquashfs', null, 'darwin'),
  },
  'A program cannot be run': {
    'it lacks a library': () =>
      neverRan(
        { kind: 'exited', code: 127 },
        [
          '/usr/bin/qemu-system-x86_64: error while loading shared libraries: libslirp.so.0: cannot open shared object file: No such file or directory',
        ],
        '/there/lock',
      ),
    'macOS does not say which': () =>
      neverRan(
        { kind: 'signalled', signal: 'SIGABRT' },
        ['dyld[7]: Library not loaded: /opt/homebrew/opt/libslirp/lib/libslirp.0.dylib'],
        '/there/lock',
      ),
  },
  'Node has changed': {
    'the descriptor of a socket is hidden': () => fdOf(JSON.parse('{}') as Server),
    'a file is not locked': locksNothing,
  },
  'A connection to another program': {
    'its socket cannot be made': () => {
      mkdirSync(join(tree, 'socket'));
      return withSockets([join(tree, 'socket')], () => undefined);
    },
    'is closed at once': () => dialled(''),
    'is answered in another way': () => dialled('NO'),
    'brings a line that is too long': () => lineTold(`"${'x'.repeat(30)}"\n`),
    'brings a value that is nested too deeply': () => lineTold('[[1]]\n'),
    'brings something else': () => lineTold('SSH-2.0\n'),
    'brings what we cannot take': () => lineTold('7\n'),
    'is not read at the other end': () => lineTold(undefined, { maxUnreadBytes: 1 }),
    'is closed': () => lineTold(''),
  },
});
