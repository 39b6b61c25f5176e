/** How a VM program ends, and why its guest stands still. */
import type { VmEnd } from '../../src/vm/vm-driver.ts';
import { explainHyperkit } from '../../src/vm/hyperkit/hyperkit-exit.ts';
import { explainQemu } from '../../src/vm/qemu/qemu-exit.ts';
import { runStates } from '../../src/vm/run-states.ts';
import { explainVfkit } from '../../src/vm/vfkit/vfkit-exit.ts';
import type { States } from './tell.ts';

const exited = (code: number, output: string[] = [], console: string[] = []): VmEnd => ({
  ended: { kind: 'exited', code },
  output,
  console,
  accelerator: 'kvm',
});
const killed = (signal: NodeJS.Signals, console: string[] = [], output: string[] = []): VmEnd => ({
  ended: { kind: 'signalled', signal },
  output,
  console,
  accelerator: 'kvm',
});
const stopped = ['linuxkit-builder: stage=stopped'];
const qemu = (line: string) => () => explainQemu(exited(1, [`qemu-system-x86_64: ${line}`]));
const hyperkit = (line: string) => () => explainHyperkit(exited(1, [line]));
const vfkit = (line: string) => () =>
  explainVfkit(exited(1, [`Error: ${line}`, 'Usage:', '  vfkit [flags]', line]));

export const qemuEnds: States = {
  'another hypervisor has the CPU': qemu('ioctl(KVM_CREATE_VM) failed: 16 Device or resource busy'),
  'kvm fails': qemu('failed to initialize kvm: No such file or directory'),
  'it aborts under kvm': () => explainQemu(killed('SIGABRT', [], ['ret == 0'])),
  'it aborts under kvm without a word': () => explainQemu(killed('SIGABRT')),
  'the disk is open elsewhere': qemu('Failed to get "write" lock'),
  'the disk cannot be opened': qemu("Could not open '/builder/nix-disk': Permission denied"),
  'the host has no memory': qemu('cannot set up guest memory: Cannot allocate memory'),
  'it has no network of its own': qemu("Parameter 'type' does not accept value 'user'"),
  'it has not the machine': qemu("unsupported machine type 'microvm'"),
  'it has not the CPU': qemu("unable to find CPU model 'max'"),
  'it has not a device': qemu("'virtio-rng-pci' is not a valid device model name"),
  'it does not know an option': qemu('-sandbox on: invalid option'),
  'the kernel is none': qemu('invalid kernel header'),
};

export const hyperkitEnds: States = {
  'the guest shut down': () => explainHyperkit(exited(0, [], stopped)),
  'the guest switched itself off': () => explainHyperkit(exited(0)),
  'it could not make the VM': () => explainHyperkit(exited(1)),
  'the guest rebooted': () => explainHyperkit(exited(2)),
  'the kernel panicked': () =>
    explainHyperkit(exited(2, [], ['Kernel panic - not syncing: no init'])),
  'triple fault': () => explainHyperkit(exited(3)),
  usage: () => explainHyperkit(exited(64)),
  unknown: () => explainHyperkit(exited(100)),
  'aborts before the guest runs': () => explainHyperkit(killed('SIGABRT')),
  'crashes before the guest runs': () => explainHyperkit(killed('SIGSEGV')),
  'crashes later': () => explainHyperkit(killed('SIGSEGV', ['Linux version 6.12'])),
  'is terminated': () => explainHyperkit(killed('SIGTERM')),
  'the disk is open elsewhere': hyperkit('Could not lock backing file: /builder/nix-disk'),
  'the kernel cannot be loaded': hyperkit('kexec: failed to load kernel'),
  'the host forbids it': hyperkit('vmx_init: hv_vm_create failed'),
  'the path is too long': hyperkit('path too long: /Users/somebody/builder'),
};

export const vfkitEnds: States = {
  'the guest shut down': () => explainVfkit(exited(0, [], stopped)),
  'the guest switched itself off': () => explainVfkit(exited(0)),
  'for a reason that we do not know': vfkit('odd'),
  'it is not signed': vfkit('lacks the entitlement com.apple.security.virtualization'),
  'the Mac cannot': vfkit('Virtualization is not available on this hardware'),
  'the disk is open elsewhere': vfkit('The storage device attachment is invalid.'),
  'macOS runs no more VMs': vfkit('Error Domain=VZErrorDomain Code=6'),
  'the host’s disk is full': vfkit('Error Domain=VZErrorDomain Code=8'),
  'the disk cannot be used': vfkit('Error Domain=VZErrorDomain Code=5'),
  'the network is blocked': vfkit('dial unixgram: no route to host'),
  'the path is too long': vfkit('unixgram path "/Users/somebody/builder" is too long'),
  'the network program is not there': vfkit('dial unixgram /b/net.sock: connection refused'),
  'the kernel is compressed': vfkit('kernel must be uncompressed'),
  'its socket is taken': vfkit('listen unix: bind: address already in use'),
  'the VM starts too slowly': vfkit('timeout waiting for VM state VirtualMachineStateRunning'),
  'the framework fails': vfkit('Error Domain=VZErrorDomain Code=1'),
  'the framework rejects the VM': vfkit('Error Domain=VZErrorDomain Code=2'),
  usage: vfkit('unknown flag: --odd'),
  'it crashes': () => explainVfkit(exited(2, ['panic: runtime error'])),
};

export const standStill: States = Object.fromEntries(
  Object.entries(runStates).flatMap(([state, row]) => {
    if (row.treatment === 'runs') return [];
    return [[state, () => (row.treatment === 'lost' ? row.failure : row.sentence)]];
  }),
);
