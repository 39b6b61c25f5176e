import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import { vmPrograms } from '../../src/domain/vm-programs.ts';
import { gvproxy } from '../../src/net/gvproxy.ts';
import {
  chooseNetwork,
  networkDrivers,
  networkLesson,
  ownNetworkLesson,
} from '../../src/net/networks.ts';
import { vpnkit } from '../../src/net/vpnkit.ts';
import { plainly } from '../../src/system/advice.ts';
import { Failed, type Failure } from '../../src/system/failure.ts';
import { keepVerdict } from '../../src/domain/verdicts.ts';
import { bootId } from '../../src/system/process/process.ts';
import { saying } from '../fakes/saying.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'net-'))));
afterEach(() => removeTree(dir));
const install = (...names: string[]) => {
  mkdirSync(join(dir, 'bin'));
  for (const name of names) writeFileSync(join(dir, 'bin', name), '', { mode: 0o755 });
};
const options = (vm: 'qemu' | 'hyperkit', network: 'auto' | 'user' | 'vpnkit' | 'gvproxy') => ({
  config: { network },
  row: vmPrograms[vm],
  layout: layoutOf(join(dir, 's')),
  path: join(dir, 'bin'),
});
const choose = (vm: 'qemu' | 'hyperkit', network: 'auto' | 'user' | 'vpnkit' | 'gvproxy') =>
  chooseNetwork(options(vm, network));

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

// Behaviour 44: A QEMU that was built without its own network is tried only once. The same start continues with
// gvproxy, if gvproxy is installed, `network` is not set, and `vm` is not set to `qemu`.
describe('a VM program that was built without a network of its own', () => {
  const failure: Failure = { kind: 'vm-lacks-part', message: 'No slirp.', hint: 'Get.', exit: 69 };
  const vmProgram = () => join(dir, 'bin/qemu');
  const learn = (network: 'auto' | 'user') => {
    const asked = { ...options('qemu', network), at: '2026-01-01T00:00:00.000Z' };
    const { failure: told, verdict } = ownNetworkLesson(failure, vmProgram(), asked);
    if (verdict !== undefined) keepVerdict(verdict, asked.layout.verdicts);
    return told;
  };
  const chosen = () => chooseNetwork({ ...options('qemu', 'auto'), vmProgram: vmProgram() });
  beforeEach(() => mkdirSync(join(dir, 's/nix-state'), { recursive: true }));

  test('gets one beside it in the same start, and says why', () => {
    install('qemu', 'gvproxy');
    expect(chosen()).toBeUndefined();
    expect(learn('auto')).toMatchObject({
      kind: 'network-rejected',
      message: expect.stringMatching(/gvproxy.*No slirp\.$/) as string,
    });
    expect(chosen()).toMatchObject({
      driver: gvproxy,
      rejected: [saying(/^user: No slirp\. This is remembered until/)],
    });
  });
  test('is asked again once it is another build', () => {
    install('qemu', 'gvproxy');
    learn('auto');
    writeFileSync(vmProgram(), 'with slirp');
    expect(chosen()).toBeUndefined();
  });
  test('is the failure itself where no other is installed, or its own was asked for by name', () => {
    install('qemu', 'vpnkit');
    expect(learn('auto')).toBe(failure);
    expect(chosen()).toBeUndefined();
    writeFileSync(join(dir, 'bin/gvproxy'), '', { mode: 0o755 });
    expect(learn('user')).toBe(failure);
    expect(existsSync(layoutOf(join(dir, 's')).verdicts)).toBe(false);
  });
});

// Behaviour 45: If the host's name servers are all IPv6, QEMU's own network cannot use them. A start then uses
// gvproxy, if gvproxy is installed, `network` is not set, and `vm` is not set to `qemu`.
describe('a host whose name servers are all IPv6', () => {
  const nameServers = ['fe80::1%en0', '::1'];
  const chosen = (network: 'auto' | 'user' = 'auto', servers = nameServers) =>
    chooseNetwork({ ...options('qemu', network), nameServers: servers });
  beforeEach(() => mkdirSync(join(dir, 's/nix-state'), { recursive: true }));

  test('gets gvproxy, and says why', () => {
    install('gvproxy');
    expect(chosen()).toMatchObject({
      driver: gvproxy,
      rejected: [saying(/^user: .*IPv4/)],
    });
  });
  test("keeps QEMU's own where that was asked for, or is the only one", () => {
    install();
    expect(chosen()).toBeUndefined();
    writeFileSync(join(dir, 'bin/gvproxy'), '', { mode: 0o755 });
    expect(chosen('user')).toBeUndefined();
  });
  test.each([[['::1', '192.0.2.1']], [[]]])("keeps QEMU's own with %j", (servers) => {
    install('gvproxy');
    expect(chosen('auto', servers)).toBeUndefined();
  });
  test("goes back to QEMU's own where gvproxy does not serve", () => {
    install('gvproxy');
    const failure: Failure = { kind: 'network-silent', message: 'M.', hint: 'Look.', exit: 69 };
    const failed = { driver: gvproxy, program: join(dir, 'bin/gvproxy') };
    const asked = { ...options('qemu', 'auto'), at: '2026-01-01T00:00:00.000Z' };
    const { failure: told, verdict } = networkLesson(failure, failed, asked);
    expect(plainly(told.hint)).toMatch(/QEMU.*Look\./);
    keepVerdict(verdict ?? expect.fail(), asked.layout.verdicts);
    expect(chosen()).toBeUndefined();
  });
});

describe('a network that does not serve', () => {
  const failure = { kind: 'network-silent', message: 'It says nothing.', hint: 'Look.', exit: 69 };
  const fail = (network: 'auto' | 'vpnkit' = 'auto', name = 'vpnkit') => {
    const driver = networkDrivers.find((each) => each.name === name) ?? vpnkit;
    const asked = options('hyperkit', network);
    const { failure: told, verdict } = networkLesson(
      failure as Failure,
      { driver, program: join(dir, 'bin', name) },
      { ...asked, at: '2026-01-01T00:00:00.000Z' },
    );
    if (verdict !== undefined) keepVerdict(verdict, asked.layout.verdicts);
    return told;
  };
  beforeEach(() => mkdirSync(join(dir, 's/nix-state'), { recursive: true }));

  // Behaviour 43: A network program that does not work is replaced by another one that is installed, unless `network`
  // names it. It is tried again after a reboot of the host or an upgrade of the program.
  test('is not taken again where another one is here, and the failure says which', () => {
    install('vpnkit', 'gvproxy');
    expect(plainly(fail().hint)).toMatch(/gvproxy.*Look\./);
    expect(choose('hyperkit', 'auto')).toMatchObject({
      driver: gvproxy,
      rejected: [saying(/^vpnkit: It says nothing\. This is remembered until/)],
    });
  });
  test('neither ends the attempts nor speaks against the VM program, where another one is here', () => {
    install('vpnkit', 'gvproxy');
    const broken = { ...failure, recovery: 'give-up', vmFault: 'passes' } as Failure;
    const asked = { ...options('hyperkit', 'auto'), at: '2026-01-01T00:00:00.000Z' };
    const lesson = networkLesson(
      broken,
      { driver: vpnkit, program: join(dir, 'bin/vpnkit') },
      asked,
    );
    expect(lesson.verdict).toBeDefined();
    expect(lesson.failure).not.toHaveProperty('recovery');
    expect(lesson.failure).not.toHaveProperty('vmFault');
  });
  test('is taken again where it is another build of the program', () => {
    install('vpnkit', 'gvproxy');
    fail();
    writeFileSync(join(dir, 'bin/vpnkit'), 'mended');
    expect(choose('hyperkit', 'auto')).toMatchObject({ driver: vpnkit, rejected: [] });
  });
  test('is taken again after the next boot of the host', () => {
    install('vpnkit', 'gvproxy');
    fail();
    const { verdicts } = layoutOf(join(dir, 's'));
    const text = readFileSync(verdicts, 'utf8');
    writeFileSync(verdicts, text.replace(bootId(), '00000000'));
    expect(choose('hyperkit', 'auto')?.driver).toBe(vpnkit);
    fail('auto', 'gvproxy');
    expect(readFileSync(verdicts, 'utf8')).not.toContain('00000000');
  });
  test('is tried again where none serves', () => {
    install('vpnkit', 'gvproxy');
    fail();
    expect(plainly(fail('auto', 'gvproxy').hint)).toContain('uses vpnkit');
    expect(choose('hyperkit', 'auto')).toMatchObject({ driver: vpnkit, rejected: [] });
    expect(fail()).toEqual(failure);
  });
  test('stays where it was asked for by name, or is the only one', () => {
    install('vpnkit');
    expect(fail()).toEqual(failure);
    writeFileSync(join(dir, 'bin/gvproxy'), '', { mode: 0o755 });
    expect(fail('vpnkit')).toEqual(failure);
    expect(existsSync(layoutOf(join(dir, 's')).verdicts)).toBe(false);
  });
  test.each(['', '{', '[]', 'null', '{"a":1}', '\u0000'])(
    'a record that says %j says nothing',
    (text) => {
      install('vpnkit', 'gvproxy');
      writeFileSync(layoutOf(join(dir, 's')).verdicts, text);
      expect(choose('hyperkit', 'auto')?.driver).toBe(vpnkit);
      expect(plainly(fail().hint)).toContain('gvproxy');
    },
  );
  test('nothing is written while it is judged', () => {
    install('vpnkit', 'gvproxy');
    const asked = options('hyperkit', 'auto');
    const unfit = { driver: vpnkit, program: join(dir, 'bin', 'vpnkit') };
    const at = '2026-01-01T00:00:00.000Z';
    const { verdict } = networkLesson(failure as Failure, unfit, { ...asked, at });
    expect(verdict).toMatchObject({ subject: 'network', way: 'vpnkit', why: failure.message, at });
    expect(existsSync(asked.layout.verdicts)).toBe(false);
    // What is only kept in mind counts as well.
    const known = verdict === undefined ? [] : [verdict];
    expect(chooseNetwork({ ...asked, known })?.driver).toBe(gvproxy);
  });
});

describe("gvproxy's command line", () => {
  const input = { layout: layoutOf('/s'), uuid: 'x', program: '/g' };
  test('for HyperKit', () =>
    expect(gvproxy.plan({ ...input, link: 'vpnkit' }).argv.join(' ')).toBe(
      '-listen-vpnkit unix:///s/nix-state/vpnkit_eth.sock -ssh-port -1 -listen unix:///s/nix-state/gvproxy.sock',
    ));
  test('for QEMU', () =>
    expect(gvproxy.plan({ ...input, link: 'qemu-stream' }).argv.join(' ')).toBe(
      '-listen-qemu unix:///s/nix-state/net.sock -ssh-port -1 -listen unix:///s/nix-state/gvproxy.sock',
    ));
  test('its way to sshd is told in one request', () =>
    expect(gvproxy.network({ ...input, link: 'qemu-stream' }).tunnel).toMatchObject({
      hello: expect.stringMatching(
        /^POST \/tunnel\?ip=192\.168\.127\.2&port=22 HTTP\/1\.1\r\n.*\r\n\r\n$/s,
      ) as string,
      answer: 'OK',
    }));
});
