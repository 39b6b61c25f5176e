import { describe, expect, test } from 'vitest';
import type { ExitStatus } from '../../src/system/process/child.ts';
import { explainHyperkit } from '../../src/vm/hyperkit/hyperkit-exit.ts';

const code = (number: number): ExitStatus => ({ kind: 'exited', code: number });
const signal = (name: string): ExitStatus => ({ kind: 'signalled', signal: name });
const kindOf = (ended: ExitStatus, output: string[] = [], console: string[] = []) =>
  explainHyperkit({ ended, output, console })?.kind;

describe('what an end means', () => {
  test.each([
    [code(0), 'guest-powered-off'],
    [code(1), 'vm-refused'],
    [code(2), 'guest-rebooted'],
    [code(3), 'guest-triple-fault'],
    [code(64), 'vm-usage'],
    [code(100), 'vm-exited'],
    [signal('SIGABRT'), 'vm-aborted'],
    [signal('SIGSEGV'), 'vm-usage'],
    [signal('SIGTERM'), 'vm-terminated'],
    [signal('SIGKILL'), undefined],
    [code(7), undefined],
    [{ kind: 'not-started', reason: 'ENOENT' } as const, undefined],
  ])('%j', (ended, kind) => expect(kindOf(ended)).toBe(kind));

  test('0 is told as a power-off, and as another one where the guest had not shut down first', () => {
    const [inOrder, atOnce] = [
      ['linuxkit-builder: stage=stopped uptime=9.1', '[ 9.2] reboot: Power down'],
      ['linuxkit-builder: stage=sshd uptime=2.1'],
    ].map((console) => explainHyperkit({ ended: code(0), output: [], console }));
    expect([inOrder?.kind, atOnce?.kind]).toEqual(['guest-powered-off', 'guest-powered-off']);
    expect(inOrder?.message).not.toBe(atOnce?.message);
  });

  test('2 with a panic on the console is the panic', () => {
    const console = [
      '[ 1.0] Kernel panic - not syncing: Attempted to kill init!',
      '[ 1.1] Rebooting',
    ];
    const failure = explainHyperkit({ ended: code(2), output: [], console });
    expect(failure?.kind).toBe('guest-panicked');
    expect(failure?.message).toContain('Attempted to kill init!');
  });

  test.each(['SIGABRT', 'SIGSEGV'])('%s of a guest that had begun to speak may be mended', (name) =>
    expect(kindOf(signal(name), [], ['linuxkit-builder: stage=init'])).toBe('vm-crashed'),
  );

  test.each([
    [code(1), 'Could not lock backing file: /d', 'vm-disk-busy'],
    [signal('SIGABRT'), 'kexec: failed to load kernel /k', 'vm-kernel-refused'],
    [code(1), 'Unable to create VM (-85377023)', 'vm-forbidden'],
    [signal('SIGABRT'), 'vmx_init: processor not supported by hv_vm_create', 'vm-forbidden'],
    [code(1), 'virtio-sock: path too long', 'vm-path-too-long'],
  ])('%j after its words: %s', (ended, line, kind) => {
    const failure = explainHyperkit({ ended, output: ['first', line], console: [] });
    expect(failure?.kind).toBe(kind);
    expect(failure?.message).toContain(line);
  });
});
