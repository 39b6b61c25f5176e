import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from '../fuzz/fast-check.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkConfig, type Config, type HostFacts } from '../../src/config/config.ts';
import { layoutOf, stateDirectoryProblems } from '../../src/config/layout.ts';
import { gvproxy } from '../../src/net/gvproxy.ts';
import { cardUuid, vpnkit } from '../../src/net/vpnkit.ts';
import { bundleAt } from '../../src/vm/boot-image.ts';
import type { PlanInput } from '../../src/vm/vm-driver.ts';
import { hyperkitPlan, hyperkitProblems, vsockHello } from '../../src/vm/hyperkit/hyperkit-argv.ts';
import { parse, type Machine } from '../rig/hyperkit/command-line.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
const at = (name: string) => join(dir, name);
const host: HostFacts = {
  arch: 'x64',
  platform: 'darwin',
  cpus: 16,
  memoryMiB: 65_536,
  diskGiB: 500,
  diskFreeGiB: 100,
};
/** A bzImage's head: `HdrS` and its protocol's version. */
const kernel = (version: number) => {
  const head = Buffer.alloc(0x210);
  head.write('HdrS', 0x202);
  head.writeUInt16LE(version, 0x206);
  return head;
};

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'hyperkit-'));
  writeFileSync(at('builder-kernel'), kernel(0x020f));
  writeFileSync(at('old-kernel'), kernel(0x0209));
  writeFileSync(at('other-kernel'), 'MZ');
});
afterAll(() => removeTree(dir));

function configOf(json: Record<string, unknown>): Config {
  const parsed = checkConfig({ vm: 'hyperkit', ...json }, host);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

function inputOf(changes: Partial<PlanInput> = {}, root = '/s'): PlanInput {
  const layout = layoutOf(root);
  const uuid = 'f8356af6-1ccb-8a8a-81be-7bd003899571';
  return {
    config: configOf({ cpus: 2, memoryMiB: 2048 }),
    layout,
    uuid,
    bundle: bundleAt(at('builder')),
    cmdline: 'quiet',
    program: '/h',
    accelerator: 'hvf',
    network: vpnkit.network({ layout, link: 'vpnkit', uuid }),
    ...changes,
  };
}

function machineOf(input: PlanInput): Machine {
  const parsed = parse(hyperkitPlan(input).argv);
  if (parsed.kind !== 'machine') throw new Error(`refused: ${JSON.stringify(parsed)}`);
  return parsed;
}

describe('the command line', () => {
  test('is all there is', () =>
    expect(hyperkitPlan(inputOf()).argv.join(' ')).toBe(
      '-A -u -c 2 -m 2048M -s 0:0,hostbridge -s 31,lpc ' +
        '-s 1:0,virtio-vpnkit,path=/s/nix-state/vpnkit_eth.sock,uuid=f8356af6-1ccb-8a8a-81be-7bd003899571,preferred_ipv4=192.168.65.3 ' +
        '-U f8356af6-1ccb-8a8a-81be-7bd003899571 -s 2:0,virtio-blk,/s/nix-disk ' +
        '-s 3,virtio-sock,guest_cid=3,path=/s/nix-state -s 4,virtio-rnd ' +
        '-l com1,autopty=/s/nix-state/tty,log=/s/nix-state/console-ring ' +
        '-f kexec,/s/nix-state/kernel,/s/nix-state/initrd,quiet console=ttyS0 linuxkit-builder.vm=hyperkit',
    ));

  test.each([
    ['f8356af6-1ccb-8a8a-e1be-7bd003899571', 'f8356af6-1ccb-8a8a-a1be-7bd003899571'],
    ['F8356AF6-1CCB-8A8A-FFBE-7BD003899571', 'F8356AF6-1CCB-8A8A-aFBE-7BD003899571'],
    ['f8356af6-1ccb-8a8a-d1be-7bd003899571', 'f8356af6-1ccb-8a8a-d1be-7bd003899571'],
  ])('has the card %s as it is, and as the machine one that HyperKit takes', (uuid, machine) => {
    const { layout } = inputOf();
    const network = vpnkit.network({ layout, link: 'vpnkit', uuid });
    const words = hyperkitPlan(inputOf({ uuid, network })).argv.join(' ');
    expect(words).toContain(`,uuid=${uuid},`);
    expect(words).toContain(`-U ${machine} `);
  });

  test('means what the config says', () => {
    const machine = machineOf(inputOf());
    expect(machine).toMatchObject({
      cpus: 2,
      memoryMiB: 2048,
      hasAcpi: true,
      pidfile: undefined,
      kernel: '/s/nix-state/kernel',
      initrd: '/s/nix-state/initrd',
      cmdline: 'quiet console=ttyS0 linuxkit-builder.vm=hyperkit',
    });
    expect(machine.devices).toContainEqual({ kind: 'disk', path: '/s/nix-disk', readOnly: false });
    expect(machine.devices).toContainEqual({
      kind: 'sock',
      cid: 3,
      directory: '/s/nix-state',
      forwards: [],
    });
  });

  test('with gvproxy has the one uuid whose address gvproxy keeps, and asks for none', () => {
    const { layout, uuid } = inputOf();
    const network = gvproxy.network({ layout, link: 'vpnkit', uuid });
    expect(machineOf(inputOf({ network })).devices).toContainEqual({
      kind: 'vpnkit',
      path: '/s/nix-state/vpnkit_eth.sock',
      preferredIpv4: undefined,
      uuid: 'c3d68012-0208-11ea-9fd7-f2189899ab08',
    });
  });

  test("the environment is ours, not the user's", () =>
    expect(Object.keys(hyperkitPlan(inputOf()).env)).toEqual(['PATH', 'TMPDIR']));

  const word = fc.stringMatching(/^[A-Za-z0-9äß .+@_=-]{1,12}$/);
  const configs = fc.record({
    cpus: fc.integer({ min: 1, max: 16 }),
    memoryMiB: fc.integer({ min: 512, max: 65_536 }),
    network: fc.constantFrom('vpnkit', 'gvproxy'),
    root: fc.array(word, { minLength: 1, maxLength: 6 }).map((parts) => `/${parts.join('/')}`),
    cmdline: fc.stringMatching(/^[a-z0-9=, ._"-]{0,60}$/),
  });

  test('of any config that we accept is one that HyperKit accepts', () => {
    let accepted = 0;
    fc.assert(
      fc.property(configs, ({ root, cmdline, network: name, ...rest }) => {
        const layout = layoutOf(root);
        const driver = name === 'vpnkit' ? vpnkit : gvproxy;
        const uuid = cardUuid(layout);
        const network = driver.network({ layout, link: 'vpnkit', uuid });
        const config = configOf({ ...rest, network: name });
        const input = { ...inputOf({ config, network, uuid, cmdline }, root) };
        const isOurs = stateDirectoryProblems(root).length === 0;
        fc.pre(isOurs && hyperkitProblems(input).length === 0);
        accepted++;
        const machine = machineOf(input);
        expect(machine).toMatchObject({ cpus: rest.cpus, memoryMiB: rest.memoryMiB });
        expect(machine.kernel).toBe(layout.kernel);
        expect(machine.initrd).toBe(layout.initrd);
        expect(machine.cmdline).toContain(cmdline);
        expect(machine.devices).toContainEqual({
          kind: 'disk',
          path: layout.disk,
          readOnly: false,
        });
      }),
      { numRuns: 200 },
    );
    expect(accepted).toBeGreaterThanOrEqual(200);
  });
});

describe('what HyperKit would not say', () => {
  const problems = (changes: Partial<PlanInput>, root?: string) =>
    hyperkitProblems(inputOf(changes, root)).map(({ message }) => message);
  const root = (bytes: number) => `/${'d'.repeat(bytes - 1)}`;

  test('the vsock directory is at the limit', () => expect(problems({}, root(75))).toEqual([]));
  test('and one byte over it', () =>
    expect(problems({}, root(76))).toEqual([expect.stringContaining(' 1 byte ')]));
  test('bytes count, not letters', () =>
    expect(problems({}, `/${'ä'.repeat(38)}`)).toHaveLength(1));
  test('a comma in a path', () => expect(problems({}, '/a,b')[0]).toContain('comma'));
  test('a kernel that is not there, one that is old and one of another processor, each told apart', () => {
    const said = ['nothing', 'old', 'other'].map((name) =>
      problems({ bundle: bundleAt(at(name)) }),
    );
    expect(said.map(({ length }) => length)).toEqual([1, 1, 1]);
    expect(new Set(said.flat()).size).toBe(3);
  });
});

describe('vsock', () => {
  test('a port is asked for in 18 bytes', () => {
    expect(vsockHello(22)).toBe('00000003.00000016\n');
    expect(vsockHello(1024)).toHaveLength(18);
  });
});

describe('which programs go together', () => {
  const verdict = (json: Record<string, unknown>, arch: 'x64' | 'arm64' = 'x64') => {
    const parsed = checkConfig(json, { ...host, arch, cpus: 96 });
    return parsed.ok ? parsed.config.network : parsed.problems.map(({ path }) => path).join();
  };
  test.each([
    [{}, 'auto'],
    [{ vm: 'qemu' }, 'user'],
    [{ vm: 'qemu', network: 'gvproxy' }, 'gvproxy'],
    [{ vm: 'qemu', network: 'vpnkit' }, 'network'],
    [{ vm: 'hyperkit' }, 'auto'],
    [{ vm: 'hyperkit', network: 'vpnkit' }, 'vpnkit'],
    [{ vm: 'hyperkit', network: 'gvproxy' }, 'gvproxy'],
    [{ vm: 'hyperkit', network: 'user' }, 'network'],
    [{ vm: 'hyperkit', cpus: 65 }, 'cpus'],
    [{ vm: 'xhyve' }, 'vm'],
    [{ vm: 'hyperkit', network: 'vmnet' }, 'network'],
  ])('%j', (json, expected) => expect(verdict(json)).toBe(expected));
  test('HyperKit is for Intel', () => expect(verdict({ vm: 'hyperkit' }, 'arm64')).toBe('vm'));
});
