import { describe, expect, test } from 'vitest';
import { knownFaults } from '../../src/domain/known-faults.ts';
import { describeFault, recognise, versionIn, type Sighting } from '../../src/domain/recognise.ts';
import { withKnownFaults } from '../../src/supervisor/health/with-known-faults.ts';
import { plainly } from '../../src/system/advice.ts';
import { macosOf } from '../../src/system/host/host.ts';

const seen = (over: Partial<Sighting>): string[] =>
  recognise({ said: [], platform: 'darwin', ...over }).map(({ id }) => id);

describe('known faults', () => {
  test.each(knownFaults.map((fault) => [fault.id, fault] as const))('%s is whole', (id, fault) => {
    expect(id).toMatch(/^[a-z0-9-]+$/);
    expect(fault.report).toMatch(/^[\w.-]+\/[\w.-]+#\d+$/);
    expect(fault.cause).toMatch(/\.$/);
    expect(fault.remedy).not.toBe('');
    // Something by which it is recognised; codes and signals only of a known program.
    const { pattern, exitCodes, signals, program } = fault;
    expect(pattern ?? exitCodes ?? signals).toBeDefined();
    if (pattern === undefined) expect(program).toBeDefined();
    else expect(() => new RegExp(pattern, 'i')).not.toThrow();
    expect(plainly(describeFault(fault))).toContain(fault.report);
  });

  test('have names of their own', () =>
    expect(new Set(knownFaults.map(({ id }) => id)).size).toBe(knownFaults.length));

  const hvf = ['ERROR:../target/arm/hvf/sysreg.c.inc:149:hvf_arch_init_vcpu: assertion failed'];
  test.each([
    [{ said: hvf, macos: '26.4' }, 'qemu-hvf-sdk'],
    [{ said: ['ssh: Could not resolve hostname nix-linuxkit'] }, 'root-knows-no-alias'],
    [
      { said: ['ssh: connect to host x port 22: No route to host'], macos: '15.0' },
      'local-network-privacy',
    ],
    [
      {
        program: 'gvproxy',
        said: ['dial udp 192.168.1.9:53: connect: no route to host'],
        macos: '15.1',
      },
      'gvproxy-local-network',
    ],
    [
      { program: 'gvproxy', said: ['sendto: no buffer space available'], version: '0.7.3' },
      'gvproxy-no-buffers',
    ],
    [
      {
        program: 'vfkit',
        said: ['The process doesn’t have the “com.apple.security.virtualization” entitlement.'],
      },
      'vfkit-not-signed',
    ],
    [
      { program: 'vfkit', said: ['Description="The storage device attachment is invalid."'] },
      'vfkit-disk-locked',
    ],
    [{ said: ['Failed to find a machine for remote build!'] }, 'no-machine-fits'],
    [
      {
        program: 'nix',
        said: [
          "error: a 'x86_64-linux' with features {} is required to build '/nix/store/x.drv', but I am a 'aarch64-darwin' with features {apple-virt, benchmark}",
        ],
      },
      'no-machine-fits',
    ],
    [
      {
        program: 'nix',
        said: [
          "\x1b[31;1merror:\x1b[0m a '\x1b[35;1mx86_64-linux\x1b[0m' with features {\x1b[35;1mkvm\x1b[0m} is required to build '\x1b[35;1m/nix/store/x.drv\x1b[0m', but I am a",
        ],
      },
      'no-machine-fits',
    ],
    [
      {
        program: 'nix',
        said: [
          "error: Cannot build '/nix/store/x.drv'.",
          '       Reason: \x1b[31;1mrequired system or feature not available\x1b[0m',
          "       Required system: 'x86_64-linux' with features {}",
          "       Current system: 'aarch64-darwin' with features {apple-virt, benchmark}",
        ],
      },
      'no-machine-fits',
    ],
    [
      { said: ['error: bad machine specification: failed to convert column #3'] },
      'bad-machines-line',
    ],
    [{ said: ['tar: No space left on device'] }, 'guest-disk-full'],
    [{ said: ["Property 'sme' not found: property"], version: '9.1.2' }, 'qemu-sme'],
    [{ said: ["Property 'sme' not found: property"] }, 'qemu-sme'],
    [
      { program: 'hyperkit', signal: 'SIGABRT', macos: '12.1', version: '0.20190802' },
      'hyperkit-catalina',
    ],
    [{ program: 'launchctl', exitCode: 78 }, 'job-program-missing'],
    [{ program: 'hyperkit', signal: 'SIGABRT', macos: '10.15.7' }, 'hyperkit-catalina'],
  ] as const)('%j', (over, id) => expect(seen(over)[0]).toBe(id));

  test.each([
    [{ said: hvf, macos: '15.1' }],
    [{ program: 'gvproxy', said: ['connect: no route to host'], macos: '14.7' }],
    [{ program: 'gvproxy', said: ['connect: no route to host'], platform: 'linux' }],
    [{ program: 'gvproxy', said: ['no buffer space available'], version: '0.8.1' }],
    [{ said: hvf, platform: 'linux' }],
    [{ said: ['all is well'] }],
    [{ exitCode: 78 }],
    [{ program: 'qemu', exitCode: 78 }],
    [{ program: 'hyperkit', signal: 'SIGABRT', macos: '10.14' }],
    [{ program: 'hyperkit', signal: 'SIGABRT', macos: '12.1', version: '0.20200908' }],
    [{ said: ['property sme assert'], program: 'qemu', version: '10.0.11' }],
  ] as const)('nothing is guessed of %j', (over) => expect(seen(over)).toEqual([]));
});

test.each([
  ['19.6.0', '10.15'],
  ['20.1.0', '11.1'],
  ['24.2.0', '15.2'],
  ['25.0.0', '26.0'],
  ['x', undefined],
])('Darwin %s is macOS %s', (darwin, macos) => expect(macosOf(darwin)).toBe(macos));

test.each([
  ['QEMU emulator version 10.0.11 (Debian 1:10.0.11)', '10.0.11'],
  ['hyperkit: v0.20190802-4-g97f091', '0.20190802'],
  ['odd', undefined],
])('%s is version %s', (said, version) => expect(versionIn(said)).toBe(version));

describe('the end of a child', () => {
  const failure = { kind: 'vm-exited', message: 'It ended.', hint: 'h', exit: 69 } as const;
  const ended = { kind: 'exited', code: 1 } as const;

  test('that is known carries cause, remedy and report', () => {
    const output = ['qemu: Failed to get "write" lock'];
    const { known, ...rest } = withKnownFaults(failure, { program: 'qemu', ended, output });
    expect(rest).toEqual(failure);
    expect(plainly(known ?? '')).toMatch(/ lsof nix-disk \(lima-vm\/lima#357\)$/);
  });

  test('is known by the words of its program, and not by ours', () => {
    const said = { ...failure, message: 'Failed to get "write" lock.' };
    expect(withKnownFaults(said, { program: 'qemu', ended, output: [] })).toBe(said);
  });

  test('that is not known stays as it is', () =>
    expect(withKnownFaults(failure, { program: 'qemu', ended, output: ['odd'] })).toBe(failure));
});
