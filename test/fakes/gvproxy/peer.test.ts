/** gvproxy's vfkit mode, before a network that gives every frame back. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makeProgram } from '../../rig/stand-in.ts';
import { isMet, needs, type Need } from '../../needs.ts';
import { removeTree } from '../../remove-tree.ts';

let dir = '';
let program = '';
const at = (name: string) => join(dir, name);
const children: ChildProcess[] = [];
const tools: Need = { programs: ['setpriv', 'python3'] };

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'gv-'));
  if (!isMet(tools)) return;
  writeFileSync(at('mirror'), '#!/bin/sh\nexec cat\n');
  chmodSync(at('mirror'), 0o755);
  program = await makeProgram(dir, 'gvproxy', at('mirror'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(at('net'), { force: true });
});
afterAll(() => removeTree(dir));

/** A card: `name` binds, `send TEXT` sends it, `taken` waits until all of that was read (unix(7), SIOCOUTQ), `hear` prints what comes back. */
const card = `
import fcntl, socket, struct, sys, termios, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for line in sys.stdin:
    command, _, rest = line.rstrip("\\n").partition(" ")
    if command == "name": s.bind(rest)
    elif command == "connect": s.connect(rest)
    elif command == "send": s.send(rest.encode())
    elif command == "taken":
        while struct.unpack("i", fcntl.ioctl(s, termios.TIOCOUTQ, bytes(4)))[0] > 0: time.sleep(0.001)
    elif command == "hear": print(s.recv(99).decode(), flush=True); continue
    print("done", flush=True)
`;

class Card {
  readonly child = spawn('python3', ['-c', card], { stdio: ['pipe', 'pipe', 'inherit'] });
  readonly #lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();

  async do(line: string): Promise<string> {
    this.child.stdin.write(`${line}\n`);
    return String((await this.#lines.next()).value);
  }

  static async join(name: string, first = 'VFKT'): Promise<Card> {
    const made = new Card();
    children.push(made.child);
    if (name !== '') await made.do(`name ${at(name)}`);
    await made.do(`connect ${at('net')}`);
    await made.do(`send ${first}`);
    return made;
  }
}

async function begin(): Promise<ChildProcess> {
  const words = ['-listen-vfkit', `unixgram://${at('net')}`, '-ssh-port', '-1'];
  // It must not outlive the tests, however they end.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  children.push(child);
  while (!existsSync(at('net'))) await new Promise((resolve) => setImmediate(resolve));
  return child;
}
const end = (child: ChildProcess) => once(child, 'exit').then(([code]) => code as number | null);

describe('in vfkit mode', needs(tools), () => {
  test('frames go both ways, and SIGTERM is its end, with the socket', async () => {
    const child = await begin();
    const one = await Card.join('a.sock');
    await one.do('send a frame that is long enough');
    expect(await one.do('hear')).toBe('a frame that is long enough');
    child.kill('SIGTERM');
    expect(await end(child)).toBe(0);
    expect(existsSync(at('net'))).toBe(false);
    rmSync(at('a.sock'));
  });
  test('a peer that is gone: noticed by the next frame for it, with exit code 0', async () => {
    const child = await begin();
    const one = await Card.join('b.sock');
    one.child.kill('SIGKILL');
    await once(one.child, 'exit');
    const ended = end(child);
    // The second one's frame comes back to the first one's name.
    await Card.join('', 'a frame that is long enough');
    expect(await ended).toBe(0);
    expect(existsSync(at('net'))).toBe(true);
    rmSync(at('b.sock'));
  });
  test('a first datagram that is no VFKT, or of nobody: exit code 0', async () => {
    for (const [name, first] of [
      ['c.sock', 'hello, hello'],
      ['', 'VFKT'],
    ] as const) {
      const child = await begin();
      const ended = end(child);
      await Card.join(name, first);
      expect(await ended).toBe(0);
      rmSync(at('net'));
    }
    rmSync(at('c.sock'));
  });
  test('a second VFKT: nothing goes through any more, and SIGTERM is not heard', async () => {
    const child = await begin();
    await Card.join('d.sock');
    const second = await Card.join('e.sock');
    await second.do('taken');
    child.kill('SIGTERM');
    const still = once(child, 'exit').then(() => 'ended');
    const probe = await Card.join('f.sock', 'a frame that is long enough');
    expect(await Promise.race([still, probe.do('send more than six bytes')])).toBe('done');
    child.kill('SIGKILL');
    expect(await end(child)).toBeNull();
    expect(existsSync(at('net'))).toBe(true);
    for (const name of ['d.sock', 'e.sock', 'f.sock']) rmSync(at(name));
  });
  test('a socket that is there already, another scheme: 1; a path that is too long: 0', () => {
    writeFileSync(at('net'), '');
    const run = (url: string) => spawnSync(program, ['-listen-vfkit', url]).status;
    expect(run(`unixgram://${at('net')}`)).toBe(1);
    expect(run(`unix://${at('net')}`)).toBe(1);
    expect(run(`unixgram://${at('n'.repeat(104))}`)).toBe(0);
  });
});
