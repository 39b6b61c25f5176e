import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { explainQemu } from '../../src/vm/qemu/qemu-exit.ts';
import { saying } from '../fakes/saying.ts';
import { removeTree } from '../remove-tree.ts';

const qemu = process.arch === 'arm64' ? 'qemu-system-aarch64' : 'qemu-system-x86_64';
const bare = ['-M', 'none', '-nodefaults', '-display', 'none', '-S'];
let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'end-'));
});
afterAll(() => removeTree(dir));

/** Runs the real QEMU into a fault and explains its end. */
function kindOf(...argv: string[]): string | undefined {
  const ran = spawnSync(qemu, argv, { encoding: 'utf8', timeout: 120_000 });
  const ended =
    ran.status === null
      ? ({ kind: 'signalled', signal: ran.signal ?? '' } as const)
      : ({ kind: 'exited', code: ran.status } as const);
  return explainQemu({ ended, output: ran.stderr.split('\n'), console: [] })?.kind;
}

describe('what the real QEMU says is understood', () => {
  test('an accelerator that is not there', () =>
    expect(kindOf(...bare, '-accel', 'hvf')).toBe('accelerator-broken'));

  // Behaviour 46: A QEMU that was built without something that the guest needs is tried only once. The message says
  // what is missing and what to do.
  test.each([
    ['a machine', ['-machine', 'odd']],
    ['a processor', ['-machine', 'none', '-cpu', 'odd']],
    ['a device', [...bare, '-device', 'odd']],
    ['a network', [...bare, '-netdev', 'odd,id=n']],
    ['an option', [...bare, '-odd']],
    [
      'a property',
      [
        '-machine',
        process.arch === 'arm64' ? 'virt' : 'pc',
        '-display',
        'none',
        '-S',
        '-device',
        'virtio-rng-pci,odd=1',
      ],
    ],
  ])('%s that it does not have', (_, argv) => expect(kindOf(...argv)).toBe('vm-lacks-part'));

  test('no user-mode network, with another program that gives one', () => {
    const said =
      "qemu-system-x86_64: -netdev user,id=net: network backend 'user' is not compiled into this binary";
    const end = { ended: { kind: 'exited', code: 1 }, output: [said], console: [] } as const;
    expect(explainQemu(end)).toMatchObject({
      kind: 'vm-lacks-part',
      hint: saying('configure --network gvproxy'),
    });
  });

  test('a disk that another QEMU has', async () => {
    const disk = join(dir, 'disk');
    writeFileSync(disk, Buffer.alloc(65_536));
    const drive = [
      '-M',
      process.arch === 'arm64' ? 'virt' : 'pc',
      '-nodefaults',
      '-display',
      'none',
      '-S',
      '-drive',
      `file=${disk},if=none,id=d,format=raw`,
      '-device',
      'virtio-blk-pci,drive=d',
    ];
    const first = spawn(qemu, [...drive, '-qmp', 'stdio'], { stdio: ['pipe', 'pipe', 'ignore'] });
    try {
      // It greets before it has opened its disk, and answers after.
      first.stdin.write('{"execute":"qmp_capabilities"}\n');
      for (let said = ''; !said.includes('"return"');)
        said += String((await once(first.stdout, 'data'))[0]);
      expect(kindOf(...drive)).toBe('disk-locked');
    } finally {
      first.kill('SIGKILL');
    }
  });

  test('a kernel that is none', () => {
    const kernel = join(dir, 'kernel');
    writeFileSync(kernel, 'no kernel');
    expect(
      kindOf(
        '-M',
        process.arch === 'arm64' ? 'virt' : 'pc',
        '-nodefaults',
        '-display',
        'none',
        '-S',
        '-kernel',
        kernel,
      ),
    ).toBe('image-not-a-kernel');
  });
});

test.each([
  [
    'qemu-system-aarch64: Error: ret = HV_BAD_ARGUMENT (0xfae94003, at ../target/arm/hvf/hvf.c:1003)',
    'accelerator-broken',
  ],
  [
    "qemu-system-x86_64: ../../target/i386/kvm/kvm.c:3183: kvm_buf_set_msrs: Assertion `ret == cpu->kvm_msr_buf->nmsrs' failed.",
    'accelerator-broken',
  ],
  [
    "qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory",
    'host-out-of-memory',
  ],
  [
    "qemu-system-x86_64: -drive file=/x/nix-disk: Could not open '/x/nix-disk': Permission denied",
    'disk-unreadable',
  ],
])('%s', (line, kind) =>
  expect(
    explainQemu({
      ended: { kind: 'signalled', signal: 'SIGABRT' },
      output: ['before', line],
      console: [],
    }),
  ).toMatchObject({ kind, message: expect.stringContaining(line) as string }),
);

test('an end without words is left to the general sentence', () =>
  expect(
    explainQemu({ ended: { kind: 'exited', code: 0 }, output: [], console: [] }),
  ).toBeUndefined());
