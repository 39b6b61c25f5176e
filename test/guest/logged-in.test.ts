import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { askLoggedIn, loggedInScript } from '../../src/guest/agent/logged-in.ts';
import { Failed } from '../../src/system/failure.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

let proc: string;
beforeEach(() => (proc = mkdtempSync(join(tmpdir(), 'proc-'))));
afterEach(() => removeTree(proc));

interface Process {
  readonly name: string;
  readonly children?: readonly Process[];
  /** Of a user who is not root. */
  readonly isUsers?: boolean;
  readonly root?: string;
}

/** Writes a tree of processes as proc(5) has it; its first one's number. */
function write({ name, children = [], isUsers = false, root = '/' }: Process, pid = 1): number {
  let next = pid + 1;
  const pids = children.map((child) => {
    const mine = next;
    next = write(child, mine);
    return mine;
  });
  const dir = join(proc, String(pid));
  mkdirSync(join(dir, 'task', String(pid)), { recursive: true });
  writeFileSync(join(dir, 'comm'), `${name}\n`);
  writeFileSync(join(dir, `task/${pid}/children`), pids.map((each) => `${each} `).join(''));
  symlinkSync(root, join(dir, 'root'));
  if (isUsers) chownSync(dir, 1000, 1000);
  return next;
}

const shells = ['sh', ...(spawnSync('busybox', ['true']).status === 0 ? ['busybox sh'] : [])];
function count(shell: string, known: number, looks = 3) {
  const [program = '', ...words] = shell.split(' ');
  const argv = [...words, '-c', loggedInScript(proc), 'logged-in', String(known), String(looks)];
  const { status, stdout } = spawnSync(program, argv, { encoding: 'utf8' });
  return { status, stdout };
}

const shell: Process = { name: 'nix-daemon' };
const init = (connections: readonly Process[], ...others: readonly Process[]): Process => ({
  name: 'init',
  children: [{ name: 'qemu-ga' }, { name: 'sshd', children: connections }, ...others],
});
const connection = (...children: readonly Process[]): Process => ({
  name: 'sshd-session',
  children,
});

/** OpenSSH 10's, then what it was before. */
const builder = connection({ name: 'sshd-session', isUsers: true, children: [shell] });
const root = connection({ name: 'sh', children: [shell] });
const older = { name: 'sshd', children: [{ name: 'sshd', isUsers: true, children: [shell] }] };
const strangers: readonly Process[] = [
  connection(),
  connection({ name: 'sshd-session' }),
  connection({ name: 'sshd-auth' }),
  connection({ name: 'sshd-auth', isUsers: true, root: '/run/sshd' }),
  connection({ name: 'sshd-session', isUsers: true, root: '/run/sshd' }),
  { name: 'sshd' },
  { name: 'sshd', children: [{ name: 'sshd', isUsers: true, root: '/run/sshd' }] },
];

// What is whose can be told here only by root, who alone may give files away.
// Behaviour 73: The guest says which connections have logged in. The others neither delay a stop, nor keep the host
// awake, nor keep their place at the door for long; but if the guest cannot tell, all connections that have reached
// it count as logged in.
describe.each(shells)('%s counts', needs('root'), (shell) => {
  test.each([
    ['nobody', init([]), '0\n'],
    ['a user and root', init([builder, root]), '2\n'],
    ['those of an OpenSSH before 9.8', init([older, older]), '2\n'],
    ['those whose listener died', init([builder], builder, connection()), '2\n'],
    ['none that has still to log in', init(strangers), '0\n'],
    ['those among strangers', init([...strangers, builder, ...strangers]), '1\n'],
  ])('%s', (_, tree, stdout) => {
    write(tree);
    expect(count(shell, -1)).toEqual({ status: 0, stdout });
  });

  test('more at once, less when it was seen twice, and what is known when that stays', () => {
    write(init([builder, builder]));
    expect(count(shell, 1, 1).stdout).toBe('2\n');
    expect(count(shell, 3, 1).stdout).toBe('3\n');
    expect(count(shell, 3, 2).stdout).toBe('2\n');
    expect(count(shell, 2, 2).stdout).toBe('2\n');
  });

  test('nothing where there is no sshd, or the kernel does not list children', () => {
    expect(count(shell, -1)).toEqual({ status: 1, stdout: '' });
    write({ name: 'init', children: [{ name: 'dropbear' }] });
    expect(count(shell, -1)).toEqual({ status: 1, stdout: '' });
  });
});

describe('the answer', () => {
  const { signal } = new AbortController();
  const asked: (readonly string[])[] = [];
  const agent = (code: number, stdout: string) => ({
    exec: (path: string, args: readonly string[]) => {
      asked.push([path, ...args.slice(2)]);
      return Promise.resolve({ code, stdout, stderr: '' });
    },
  });
  test.each([
    [0, '3\n', 3],
    [1, '', undefined],
    [0, '', undefined],
    [0, 'three\n', undefined],
    [0, '3\n4\n', undefined],
    [0, '-1\n', undefined],
  ])('with exit %i and %j is %s', async (code, stdout, count) =>
    expect(await askLoggedIn(agent(code, stdout), { known: 2, signal })).toBe(count),
  );

  test('that is known goes with the question', async () => {
    asked.length = 0;
    for (const known of [undefined, 4]) await askLoggedIn(agent(0, '0\n'), { known, signal });
    expect(asked.map(([, , known]) => known)).toEqual(['-1', '4']);
  });

  test('of an agent that is away is none; only the signal ends the question', async () => {
    const gone = new Failed({ kind: 'agent-away', message: '', hint: '', exit: 69 });
    const exec = () => Promise.reject(gone);
    expect(await askLoggedIn({ exec }, { known: 1, signal })).toBeUndefined();
    const over = AbortSignal.abort(new Error('over'));
    await expect(askLoggedIn({ exec }, { known: 1, signal: over })).rejects.toThrow('over');
  });
});
