import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { userNetwork } from '../../src/net/networks.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { attachQemu, countOperations } from '../../src/vm/qemu/qemu-control.ts';
import { removeTree } from '../remove-tree.ts';

// Behaviour 74: If QEMU's own network can pass connections from a Unix socket on the host to the guest, which each
// start tests, the guest's sshd is reached through a socket that only the owner can use. Otherwise, it is reached
// through a port on 127.0.0.1.
test('the way to the guest is the socket that QEMU made, else the port that it chose', async () => {
  const layout = layoutOf(mkdtempSync(join(tmpdir(), 'forward-')));
  mkdirSync(layout.state);
  const { guestSsh: path } = layout;
  const qemu = spawn('qemu-system-x86_64', [
    '-M',
    'pc',
    '-S',
    '-nodefaults',
    '-display',
    'none',
    '-accel',
    'tcg',
    '-m',
    '64',
    '-netdev',
    'user,id=n,hostfwd=tcp:127.0.0.1:0-:22',
    '-device',
    'virtio-net-pci,netdev=n,romfile=',
    '-qmp',
    `unix:${layout.qmp},server=on,wait=off`,
  ]);
  const ended = once(qemu, 'exit');
  const socket = createServer();
  const tunnel = async () => {
    const { signal } = new AbortController();
    const rest = { signal, network: userNetwork, signalVm: () => undefined };
    const machine = await attachQemu({ layout, clock: systemClock, ...rest });
    machine.close();
    return machine.tunnel;
  };
  try {
    expect(await tunnel()).toMatchObject({ kind: 'tcp', host: '127.0.0.1' });
    // As one that can forward it would have made it.
    await once(socket.listen(path), 'listening');
    expect(await tunnel()).toEqual({ kind: 'unix', path, hello: '', answer: '' });
  } finally {
    socket.close();
    qemu.kill('SIGKILL');
    await ended;
    removeTree(layout.root);
  }
});

const drive = (stats: unknown) => ({ device: 'd', stats });

test.each([
  [
    'of all drives',
    [
      drive({ rd_operations: 3, wr_operations: 4, flush_operations: 1 }),
      drive({ rd_operations: 2 }),
    ],
    10,
  ],
  ['of none', [], 0],
  ['of an answer that is none', 'odd', 0],
  [
    'that are no numbers',
    [drive({ rd_operations: '7', wr_operations: {}, flush_operations: 5 })],
    5,
  ],
  ['without counters', [drive(undefined), null, 4, drive([])], 0],
])('operations %s are counted', (_what, answer, count) =>
  expect(countOperations(answer)).toBe(count),
);
