import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { gvproxy } from '../../src/net/gvproxy.ts';
import { chooseNetwork } from '../../src/net/networks.ts';
import { Failed } from '../../src/system/failure.ts';

let dir = '';
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'net-'))));
afterEach(() => rmSync(dir, { recursive: true }));
const install = (...names: string[]) => {
  mkdirSync(join(dir, 'bin'));
  for (const name of names) writeFileSync(join(dir, 'bin', name), '', { mode: 0o755 });
};
const choose = (vm: 'qemu' | 'hyperkit', network: 'auto' | 'user' | 'vpnkit' | 'gvproxy') =>
  chooseNetwork({ vm, network }, join(dir, 'bin'));

describe('which network a start gets', () => {
  test("QEMU's own needs no program", () => {
    install('gvproxy');
    expect(choose('qemu', 'user')).toBeUndefined();
    expect(choose('qemu', 'auto')).toBeUndefined();
  });
  test.each([
    [['vpnkit', 'gvproxy'], 'vpnkit'],
    [['gvproxy'], 'gvproxy'],
    [['vpnkit'], 'vpnkit'],
  ])('HyperKit with %j installed: %s', (names, name) => {
    install(...names);
    expect(choose('hyperkit', 'auto')?.driver.name).toBe(name);
    expect(choose('hyperkit', 'auto')?.program).toBe(join(dir, 'bin', name));
  });
  test('the one that was named, even if the other is there', () => {
    install('vpnkit', 'gvproxy');
    expect(choose('hyperkit', 'gvproxy')?.driver.name).toBe('gvproxy');
  });
  test.each(['auto', 'vpnkit', 'gvproxy'] as const)('%s, and it is not installed', (network) => {
    install();
    expect(() => choose('hyperkit', network)).toThrow(Failed);
  });
});

describe("gvproxy's command line", () => {
  const input = { layout: layoutOf('/s'), uuid: 'x', program: '/g' };
  test('for HyperKit', () =>
    expect(gvproxy.plan({ ...input, vm: 'hyperkit' }).argv.join(' ')).toBe(
      '-listen-vpnkit unix:///s/nix-state/vpnkit_eth.sock -ssh-port -1 -listen unix:///s/nix-state/gvproxy.sock',
    ));
  test('for QEMU', () =>
    expect(gvproxy.plan({ ...input, vm: 'qemu' }).argv.join(' ')).toBe(
      '-listen-qemu unix:///s/nix-state/net.sock -ssh-port -1 -listen unix:///s/nix-state/gvproxy.sock',
    ));
  test('its way to sshd is told in one request', () =>
    expect(gvproxy.network({ ...input, vm: 'qemu' }).tunnel).toMatchObject({
      hello: expect.stringMatching(
        /^POST \/tunnel\?ip=192\.168\.127\.2&port=22 HTTP\/1\.1\r\n.*\r\n\r\n$/s,
      ) as string,
      answer: 'OK',
    }));
});
