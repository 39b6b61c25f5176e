import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { listeningInodes, lsofOwner, portOwner } from '../../src/door/port-owner.ts';
import { needs } from '../needs.ts';

const table = [
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
  '   0: 0100007F:5E13 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000000000000000 100 0 0 10 0',
  '   1: 0100007F:5E13 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0000000000000000 20 4 30 10 -1',
  '   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000 100 0 0 10 0',
  '',
].join('\n');

describe('who listens on a port', () => {
  test('is read from /proc/net/tcp, listeners only', () => {
    expect(listeningInodes(table, 24083)).toEqual(['4711']);
    expect(listeningInodes(table, 22)).toEqual(['4713']);
    expect(listeningInodes(table, 80)).toEqual([]);
  });

  // Behaviour 173: No control sequence, and nothing that hides or reorders text, reaches a terminal, `status.json` or
  // a saved incident, whether it comes from the guest, another user's process or a mirror. Two things are not
  // filtered: what a session in the guest prints, as with `ssh` or `debug`, and the logs of builds, which belong to
  // Nix.
  test('whatever that calls itself', needs('Linux'), async () => {
    const script = `require('fs').writeFileSync('/proc/self/comm', '\\x1b[31m\\x9bp\\n\\u202e');
      const server = require('net').createServer().listen(0, '127.0.0.1', () => console.log(server.address().port));`;
    const other = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [port] = (await once(other.stdout, 'data')) as [Buffer];
      expect(await portOwner(Number(String(port)))).toBe(`p (pid ${other.pid ?? 0})`);
    } finally {
      other.kill();
      await once(other, 'exit');
    }
  });

  test("is read from lsof's fields", () => {
    expect(lsofOwner('p501\ncssh\nf7\n')).toBe('ssh (pid 501)');
    expect(lsofOwner('p501\nc\x1b[31m\x9bp\u202e\n')).toBe('p (pid 501)');
    expect(lsofOwner('')).toBeUndefined();
  });
});
