/** Whom a guest asks for names when this machine is in another network. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { GuestNames } from '../../src/supervisor/health/guest-names.ts';
import { Exit, Failed } from '../../src/system/failure.ts';
import { removeTree } from '../remove-tree.ts';

let directory: string;
let resolvConf: string;
const calls: (readonly string[])[] = [];
const logged: string[] = [];
let answer: () => Promise<{ code: number; stdout: string; stderr: string }>;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'names-'));
  resolvConf = join(directory, 'resolv.conf');
  calls.length = logged.length = 0;
  answer = () => Promise.resolve({ code: 0, stdout: '', stderr: '' });
  names('192.0.2.1');
});
afterEach(() => removeTree(directory));

/** Another file of that name, as whoever changes the network makes it. */
function names(...servers: string[]): void {
  const lines = servers.map((server) => `nameserver ${server}\n`).join('');
  writeFileSync(`${resolvConf}.new`, lines);
  renameSync(`${resolvConf}.new`, resolvConf);
}

const guest = {
  agent: {
    exec: (_: string, args: readonly string[]) => {
      calls.push(args.slice(4));
      return answer();
    },
  },
  signal: new AbortController().signal,
};
const ofStart = () =>
  new GuestNames({
    network: {
      guest: { address: '', gateway: '', nameservers: ['192.168.127.1'] },
      namesOnce: { loopback: '192.168.127.254' },
    },
    log: (_, event) => logged.push(event),
    resolvConf,
  });

// Behaviour 86: A running guest uses the IPv4 name servers of the host's current network, even after the host has
// moved to another network; with QEMU's own network, it uses only the first of them. If the new network has only IPv6
// name servers, the guest has to be restarted.
test('a guest whose network asks the old ones is told of the new ones, once, and of those of its start when they are back', async () => {
  const start = ofStart();
  await start.tell(guest);
  expect(calls).toEqual([]);
  names('198.51.100.1', '198.51.100.2');
  await Promise.all([start.tell(guest), start.tell(guest)]);
  await start.tell(guest);
  expect(calls.splice(0)).toEqual([['198.51.100.1', '198.51.100.2', '192.168.127.1']]);
  expect(start.areOthers).toBe(true);
  // The same servers in another file.
  names('198.51.100.1', '198.51.100.2');
  await start.tell(guest);
  expect(calls).toEqual([]);
  names('192.0.2.1');
  await start.tell(guest);
  expect(calls).toEqual([['192.168.127.1']]);
});

test('a moment without any, between two networks, changes nothing', async () => {
  const start = ofStart();
  rmSync(resolvConf);
  await start.tell(guest);
  names();
  await start.tell(guest);
  expect(calls).toEqual([]);
  names('198.51.100.1');
  await start.tell(guest);
  expect(calls).toHaveLength(1);
});

test('one whose network follows by itself is told nothing', async () => {
  const start = new GuestNames({
    network: { guest: { address: '', gateway: '', nameservers: ['10.0.2.3'] } },
    log: () => undefined,
    resolvConf,
  });
  names('198.51.100.1');
  await start.tell(guest);
  expect(calls).toEqual([]);
});

test('one that does not answer is told later, and one that cannot be told is left alone', async () => {
  const start = ofStart();
  names('198.51.100.1');
  const failure = { kind: 'agent-silent', message: '', hint: '', exit: Exit.unavailable };
  answer = () => Promise.reject(new Failed(failure));
  await start.tell(guest);
  await start.tell(guest);
  expect(calls).toHaveLength(2);
  expect(logged).toEqual(['name-servers-not-told']);
  answer = () => Promise.resolve({ code: 1, stdout: '', stderr: 'no socat' });
  await start.tell(guest);
  await start.tell(guest);
  expect(calls).toHaveLength(3);
  expect(logged).toEqual(['name-servers-not-told', 'name-servers-told']);
});
