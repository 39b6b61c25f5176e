/** Facts of a host, and the ways in which a guest can be run there, best first, with a reason that a person can read. */
import { describe, expect, test } from 'vitest';
import { layoutOf } from '../../src/config/layout.ts';
import type { HostKind } from '../../src/domain/vm-programs.ts';
import { vmPrograms } from '../../src/domain/vm-programs.ts';
import { nativeSystem } from '../../src/domain/guest-system.ts';
import { rankVms, type RankFacts } from '../../src/vm/vm-ranking.ts';
import { refusalOf } from '../../src/vm/vm-drivers.ts';
import { fourthRow } from '../fakes/fourth-vm.ts';

const facts = (
  host: HostKind,
  { versions = {}, root = '/s', ...changes }: Changes = {},
): RankFacts => {
  const system = changes.system ?? nativeSystem(host.split('-')[1] ?? '');
  const known = all.filter((vm) => changes.installed?.includes(vm));
  const refused = known.flatMap((vm) => {
    const version = versions[vm];
    const abilities = version === undefined ? undefined : { ...nothingMore, version };
    const why = refusalOf(vm, { config: { system }, layout: layoutOf(root), abilities });
    return why === undefined ? [] : [[vm, why] as const];
  });
  return {
    host,
    system,
    cpus: 8,
    network: 'auto',
    accelerator: 'auto',
    installed: [],
    networks: [],
    refused: Object.fromEntries(refused),
    ...changes,
  };
};
const nothingMore = { sandbox: false, forwardsUnix: false } as const;
const arm = 'darwin-arm64';
const intel = 'darwin-x64';
const all = ['qemu', 'hyperkit', 'vfkit'];
const nets = ['vpnkit', 'gvproxy'];
const x86 = { system: 'x86_64-linux' } as const;
const arm64 = { system: 'aarch64-linux' } as const;

/** Also the version that a program says it has, and the state directory: what they say to these is the drivers' own word. */
type Changes = Partial<RankFacts> & {
  readonly versions?: Readonly<Record<string, string>>;
  readonly root?: string;
};

/** Host, what differs, the ways, and a word of the reason for the first or, where there is none, for what is missing. */
type Row = readonly [HostKind, Changes, string, RegExp];
const rows: readonly Row[] = [
  // Apple silicon, by what is installed.
  [arm, {}, '', /vfkit is not installed/],
  [arm, { installed: ['qemu'] }, 'qemu/hvf qemu/tcg', /directly on the CPU/],
  [arm, { installed: ['vfkit'] }, '', /vfkit needs gvproxy, which is not installed/],
  [arm, { installed: ['vfkit'], networks: ['vpnkit'] }, '', /vfkit needs gvproxy/],
  [arm, { installed: ['vfkit'], networks: ['gvproxy'] }, 'vfkit/hvf', /Apple's/],
  [arm, { installed: ['vfkit', 'qemu'] }, 'qemu/hvf qemu/tcg', /disk is full/],
  [
    arm,
    { installed: ['vfkit', 'qemu'], networks: nets },
    'vfkit/hvf qemu/hvf qemu/tcg',
    /Virtualization/,
  ],
  [arm, { installed: all, networks: nets }, 'vfkit/hvf qemu/hvf qemu/tcg', /Virtualization/],
  [arm, { installed: ['hyperkit'], networks: nets }, '', /hyperkit does not support Apple silicon/],
  [arm, { installed: ['hyperkit', 'qemu'], networks: nets }, 'qemu/hvf qemu/tcg', /directly/],
  // By the version of macOS.
  [arm, { installed: all, networks: nets, macos: '11.7' }, 'qemu/hvf qemu/tcg', /directly/],
  [
    arm,
    { installed: ['vfkit'], networks: nets, macos: '12.6' },
    '',
    /vfkit needs macOS 13 or newer; this is 12.6/,
  ],
  [arm, { installed: all, networks: nets, macos: '13.0' }, 'vfkit/hvf qemu/hvf qemu/tcg', /Apple/],
  [arm, { installed: all, networks: nets, macos: '14.7' }, 'vfkit/hvf qemu/hvf qemu/tcg', /Apple/],
  [arm, { installed: all, networks: nets, macos: '15.2' }, 'vfkit/hvf qemu/hvf qemu/tcg', /Apple/],
  [arm, { installed: all, networks: nets, macos: '26.1' }, 'vfkit/hvf qemu/hvf qemu/tcg', /Apple/],
  // By the version of a program.
  ...(['0.5.0', '0.5.1', '0.5.99'] as const).map((vfkit): Row => [
    arm,
    { installed: all, networks: nets, versions: { vfkit } },
    'qemu/hvf qemu/tcg',
    /directly/,
  ]),
  ...(['0.6.0', '0.6.4', '0.10.0', '1.0.0'] as const).map((vfkit): Row => [
    arm,
    { installed: all, networks: nets, versions: { vfkit } },
    'vfkit/hvf qemu/hvf qemu/tcg',
    /Apple/,
  ]),
  [
    arm,
    { installed: ['vfkit'], networks: nets, versions: { vfkit: '0.5.1' } },
    '',
    /vfkit is too old: .*0\.6\.0/,
  ],
  [
    arm,
    { installed: all, networks: nets, kept: 'qemu', versions: { vfkit: '0.5.1' } },
    'qemu/hvf qemu/tcg',
    /already runs/,
  ],
  [
    arm,
    { installed: all, networks: nets, kept: 'vfkit', versions: { vfkit: '0.5.1' } },
    'qemu/hvf qemu/tcg',
    /directly/,
  ],
  [
    arm,
    {
      installed: all,
      networks: nets,
      kept: 'qemu',
      changed: ['vfkit'],
      versions: { vfkit: '0.5.1' },
    },
    'qemu/hvf qemu/tcg',
    /already runs/,
  ],
  [
    arm,
    { installed: all, networks: nets, macos: '12.6', versions: { vfkit: '0.6.4' } },
    'qemu/hvf qemu/tcg',
    /directly/,
  ],
  [
    intel,
    { installed: all, networks: nets, versions: { vfkit: '0.5.1', qemu: '10.1.0' } },
    'qemu/hvf hyperkit/hvf qemu/tcg',
    /directly/,
  ],
  // By the state directory.
  [
    arm,
    { installed: all, networks: nets, root: '/Users/ann/My Builder' },
    'qemu/hvf qemu/tcg',
    /directly/,
  ],
  [
    arm,
    { installed: ['vfkit'], networks: nets, root: '/Users/ann/My Builder' },
    '',
    /vfkit cannot use this state directory: it contains " "/,
  ],
  [
    arm,
    { installed: ['vfkit'], networks: nets, root: `/${'d'.repeat(87)}` },
    '',
    /vfkit cannot use this state directory: it is \d+ bytes too long/,
  ],
  [intel, { installed: all, networks: nets, root: '/a,b' }, 'qemu/hvf qemu/tcg', /directly/],
  [
    intel,
    { installed: ['hyperkit'], networks: nets, root: '/a,b' },
    '',
    /hyperkit cannot use this state directory: it contains a comma/,
  ],
  // Another system than the host's.
  [arm, { installed: all, networks: nets, ...x86 }, 'qemu/tcg', /emulates the CPU/],
  [arm, { installed: ['vfkit'], networks: nets, ...x86 }, '', /vfkit cannot run x86_64-linux here/],
  [arm, { installed: ['qemu'], ...x86 }, 'qemu/tcg', /ten times slower/],
  // What the settings ask for.
  [arm, { installed: all, networks: nets, accelerator: 'hvf' }, 'vfkit/hvf qemu/hvf', /Apple/],
  [arm, { installed: all, networks: nets, accelerator: 'tcg' }, 'qemu/tcg', /emulates/],
  [arm, { installed: all, networks: nets, accelerator: 'kvm' }, '', /hyperkit does not support/],
  [arm, { installed: all, networks: nets, network: 'user' }, 'qemu/hvf qemu/tcg', /directly/],
  [
    arm,
    { installed: all, networks: nets, network: 'gvproxy' },
    'vfkit/hvf qemu/hvf qemu/tcg',
    /Apple/,
  ],
  [
    arm,
    { installed: all, networks: nets, network: 'vpnkit' },
    '',
    /qemu does not support the network vpnkit/,
  ],
  [arm, { installed: all, network: 'gvproxy' }, '', /qemu needs gvproxy, which is not installed/],
  // A builder that is there stays with its program.
  [
    arm,
    { installed: all, networks: nets, kept: 'qemu' },
    'qemu/hvf vfkit/hvf qemu/tcg',
    /already runs/,
  ],
  [
    arm,
    { installed: all, networks: nets, kept: 'vfkit' },
    'vfkit/hvf qemu/hvf qemu/tcg',
    /already runs/,
  ],
  [
    arm,
    { installed: all, networks: nets, kept: 'hyperkit' },
    'vfkit/hvf qemu/hvf qemu/tcg',
    /Apple/,
  ],
  // A better one that failed is tried once more when it is another build; a worse one is not.
  [
    arm,
    { installed: all, networks: nets, kept: 'qemu', changed: ['vfkit'] },
    'vfkit/hvf qemu/hvf qemu/tcg',
    /different build from the one that failed/,
  ],
  [
    arm,
    { installed: all, networks: nets, kept: 'vfkit', changed: ['qemu'] },
    'vfkit/hvf qemu/hvf qemu/tcg',
    /already runs/,
  ],
  [
    intel,
    { installed: all, networks: nets, kept: 'vfkit', changed: ['hyperkit'] },
    'hyperkit/hvf vfkit/hvf qemu/hvf qemu/tcg',
    /different build from the one that failed/,
  ],
  [
    intel,
    { installed: all, networks: nets, kept: 'hyperkit', changed: ['qemu'] },
    'qemu/hvf hyperkit/hvf vfkit/hvf qemu/tcg',
    /different build from the one that failed/,
  ],
  [
    arm,
    { installed: ['qemu'], networks: nets, kept: 'qemu', changed: ['vfkit'] },
    'qemu/hvf qemu/tcg',
    /already runs/,
  ],
  [arm, { installed: ['vfkit'], networks: nets, kept: 'qemu' }, 'vfkit/hvf', /Apple/],
  [arm, { installed: ['qemu'], kept: 'vfkit' }, 'qemu/hvf qemu/tcg', /directly/],
  [arm, { installed: all, networks: nets, kept: '' }, 'vfkit/hvf qemu/hvf qemu/tcg', /Apple/],
  [
    arm,
    { installed: all, networks: nets, kept: 'nonsense' },
    'vfkit/hvf qemu/hvf qemu/tcg',
    /Apple/,
  ],
  [arm, { installed: all, networks: nets, kept: 'qemu', ...x86 }, 'qemu/tcg', /emulates/],
  [arm, { installed: all, networks: nets, cpus: 400 }, 'vfkit/hvf qemu/hvf qemu/tcg', /Apple/],
  // Intel Macs.
  [intel, {}, '', /qemu is not installed/],
  [intel, { installed: ['qemu'] }, 'qemu/hvf qemu/tcg', /directly/],
  [intel, { installed: ['hyperkit'] }, '', /hyperkit needs vpnkit or gvproxy/],
  [intel, { installed: ['hyperkit'], networks: ['vpnkit'] }, 'hyperkit/hvf', /directly/],
  [intel, { installed: ['hyperkit'], networks: ['gvproxy'] }, 'hyperkit/hvf', /directly/],
  [intel, { installed: ['vfkit'], networks: ['gvproxy'] }, 'vfkit/hvf', /untested/],
  [intel, { installed: ['vfkit'], networks: ['vpnkit'] }, '', /vfkit needs gvproxy/],
  [
    intel,
    { installed: ['qemu', 'hyperkit'], networks: nets },
    'qemu/hvf hyperkit/hvf qemu/tcg',
    /directly/,
  ],
  [
    intel,
    { installed: all, networks: nets },
    'qemu/hvf hyperkit/hvf vfkit/hvf qemu/tcg',
    /directly/,
  ],
  [
    intel,
    { installed: ['hyperkit', 'vfkit'], networks: nets },
    'hyperkit/hvf vfkit/hvf',
    /directly/,
  ],
  [
    intel,
    { installed: all, networks: nets, macos: '10.15' },
    'qemu/hvf hyperkit/hvf qemu/tcg',
    /directly/,
  ],
  [
    intel,
    { installed: all, networks: nets, kept: 'hyperkit' },
    'hyperkit/hvf qemu/hvf vfkit/hvf qemu/tcg',
    /already runs/,
  ],
  [
    intel,
    { installed: all, networks: nets, kept: 'vfkit' },
    'vfkit/hvf qemu/hvf hyperkit/hvf qemu/tcg',
    /already runs/,
  ],
  [intel, { installed: all, networks: nets, network: 'vpnkit' }, 'hyperkit/hvf', /directly/],
  [
    intel,
    { installed: all, networks: ['gvproxy'], network: 'vpnkit' },
    '',
    /hyperkit needs vpnkit/,
  ],
  [intel, { installed: all, networks: nets, accelerator: 'tcg' }, 'qemu/tcg', /emulates/],
  [intel, { installed: all, networks: nets, cpus: 65 }, 'qemu/hvf vfkit/hvf qemu/tcg', /directly/],
  [
    intel,
    { installed: ['hyperkit'], networks: nets, cpus: 65 },
    '',
    /hyperkit supports at most 64 CPUs/,
  ],
  [intel, { installed: all, networks: nets, ...arm64 }, 'qemu/tcg', /emulates/],
  [
    intel,
    { installed: ['hyperkit'], networks: nets, ...arm64 },
    '',
    /hyperkit cannot run aarch64-linux/,
  ],
  // Linux.
  ['linux-x64', {}, '', /qemu is not installed/],
  ['linux-x64', { installed: ['qemu'] }, 'qemu/kvm qemu/tcg', /directly/],
  ['linux-x64', { installed: all, networks: nets }, 'qemu/kvm qemu/tcg', /directly/],
  [
    'linux-x64',
    { installed: ['vfkit'], networks: nets },
    '',
    /vfkit does not support Linux on x86_64/,
  ],
  ['linux-x64', { installed: ['qemu'], ...arm64 }, 'qemu/tcg', /emulates/],
  ['linux-x64', { installed: ['qemu'], accelerator: 'kvm' }, 'qemu/kvm', /directly/],
  ['linux-x64', { installed: ['qemu'], accelerator: 'tcg' }, 'qemu/tcg', /emulates/],
  ['linux-x64', { installed: ['qemu'], network: 'gvproxy' }, '', /qemu needs gvproxy/],
  [
    'linux-x64',
    { installed: ['qemu'], network: 'gvproxy', networks: nets },
    'qemu/kvm qemu/tcg',
    /directly/,
  ],
  ['linux-x64', { installed: ['qemu'], kept: 'qemu' }, 'qemu/kvm qemu/tcg', /already runs/],
  ['linux-arm64', { installed: ['qemu'] }, 'qemu/kvm qemu/tcg', /directly/],
  ['linux-arm64', { installed: ['qemu'], ...x86 }, 'qemu/tcg', /emulates/],
  [
    'linux-arm64',
    { installed: ['hyperkit', 'vfkit'], networks: nets },
    '',
    /not support Linux on arm64/,
  ],
];

// Behaviour 52: With `vm` set to `auto`, a builder keeps the program that its first start chose until that program
// fails. If no VM program is available, the message says of each one why it is not.
describe('the ranking', () => {
  test('has a table of 60 hosts and more', () => expect(rows.length).toBeGreaterThanOrEqual(60));

  test.each(rows)('%s with %j: %s', (host, changes, ways, reason) => {
    const plan = rankVms(facts(host, changes));
    expect(plan.ways.map(({ vm, accelerator }) => `${vm}/${accelerator}`).join(' ')).toBe(ways);
    const said = plan.ways[0]?.why ?? plan.without.map(({ vm, why }) => `${vm} ${why}`).join('; ');
    expect(said).toMatch(reason);
    // Each program is either ranked or told of.
    const told = new Set([...plan.ways, ...plan.without].map(({ vm }) => vm));
    if (facts(host, changes).accelerator === 'auto')
      expect([...told].sort()).toEqual([...all].sort());
  });

  test('has a place for a program that is not named in it: behind the hardware, before or beside software', () => {
    const plan = rankVms(facts('linux-x64', { installed: ['qemu', 'fourth'], cpus: 2 }), {
      ...vmPrograms,
      fourth: { ...fourthRow, accelerators: ['kvm'] },
    });
    expect(plan.ways.map(({ vm, accelerator }) => `${vm}/${accelerator}`)).toEqual([
      'qemu/kvm',
      'fourth/kvm',
      'qemu/tcg',
    ]);
  });
});
