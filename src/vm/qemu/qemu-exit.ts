/** What QEMU's last words mean: which of its ends a second try can mend, and which need another way or a person. */
import { Exit, type Failure } from '../../system/failure.ts';
import type { VmEnd } from '../vm-driver.ts';
import { kvmBusy, type Obstacle } from '../kvm-device.ts';
import { advice, ours, type Text } from '../../system/advice.ts';

/** The end of a QEMU that nobody asked to end, in words; undefined where there is nothing to add. */
export const explainQemu = (end: VmEnd): Failure | undefined => qemuFault(end)?.failure;

/** Why QEMU ended, and what an accelerator has to do with it. */
interface QemuFault extends Cause {
  readonly failure: Failure;
}

interface Cause {
  /** What keeps an accelerator from working, where that is known. */
  readonly obstacle?: Obstacle | undefined;
  /** It ends any start, with whichever accelerator. */
  readonly isOfAnyStart?: true | undefined;
}

/** The same, with what an accelerator has to do with it. */
export function qemuFault(end: VmEnd): QemuFault | undefined {
  const { ended, output } = end;
  if (ended.kind === 'not-started') return undefined;
  const said = output.join('\n');
  const known = faults.find(({ pattern }) => pattern.test(said));
  if (known === undefined) return abortsUnder(end);
  const { pattern, obstacle, isOfAnyStart, ...failure } = known;
  const line = output.findLast((text) => pattern.test(text)) ?? '';
  const message = `${failure.message} QEMU said: ${line.trim()}`;
  return { failure: { ...failure, message, lines: output }, obstacle, isOfAnyStart };
}

/**
 * Where kvm or hvf fails QEMU under a guest that was not ready yet, QEMU aborts: hvf at nearly everything, kvm where it
 * cannot set a register. Later on other faults of its own are as likely.
 */
function abortsUnder({ ended, output, accelerator, wasReady }: VmEnd) {
  const aborts = ended.kind === 'signalled' && ended.signal === 'SIGABRT';
  if (!aborts || wasReady === true || accelerator === undefined || accelerator === 'tcg')
    return undefined;
  const last = output.at(-1)?.trim() ?? '';
  const message = `${broken.message} QEMU aborted${last === '' ? '.' : `: ${last}`}`;
  return { failure: { ...broken, message, lines: output } };
}

const broken: Failure = {
  kind: 'accelerator-broken',
  message: 'This accelerator cannot run the guest on this machine.',
  hint: advice`The next accelerator is tried. To choose one: ${ours('configure', '--accelerator NAME')}`,
  exit: Exit.unavailable,
  deaf: 'dead',
};

interface Fault extends Failure, Cause {
  readonly pattern: RegExp;
}

/** A program that was built without something does not get it by being started again. */
const lacks = (what: string, hint: Text, pattern: RegExp): Fault => ({
  pattern,
  kind: 'vm-lacks-part',
  vmFault: 'lasts',
  message: `This QEMU does not support ${what}.`,
  hint,
  exit: Exit.unavailable,
  recovery: 'give-up',
});
const noSlirp =
  /network backend '?user'? is not compiled into this binary|Parameter 'type' does not accept value 'user'/;

/** It was built without user-mode networking. */
export const lacksSlirp = (output: readonly string[]): boolean =>
  output.some((line) => noSlirp.test(line));
const anotherQemu = advice`Install another QEMU (Debian's qemu-system-x86 or qemu-system-arm, Homebrew's qemu), then run: ${ours('restart')}`;

/**
 * The one place where QEMU's words decide: where neither a state nor an exit tells. Seen with QEMU 7.2; the hvf lines are from reports
 * of QEMU 9 to 11 on macOS.
 */
const faults: readonly Fault[] = [
  {
    ...broken,
    // EBUSY of the ioctl (linux/kvm.h), whose number QEMU prints.
    pattern: /KVM_CREATE_VM.*failed: 16\b|kvm: Device or resource busy/,
    message: `${kvmBusy.why}.`,
    obstacle: kvmBusy,
  },
  {
    ...broken,
    pattern:
      /kvm_buf_set_msrs|KVM_(CREATE|RUN|SET)|failed to initialize (kvm|hvf)|invalid accelerator|HV_(ERROR|DENIED|UNSUPPORTED|BAD_ARGUMENT)|hvf_arch_init_vcpu|Could not access KVM|Assertion.*(kvm|hvf|isv|ret == )/i,
  },
  {
    pattern:
      /Failed to get "?(write|shared "?write"?|consistent read)"? lock|Is another process using the image/,
    kind: 'disk-locked',
    vmFault: 'none',
    message: 'Another process has the disk open.',
    hint: 'The start is retried. If this persists, see in the state directory which process it is: lsof nix-disk',
    exit: Exit.temporary,
    recovery: 'wait',
  },
  {
    pattern:
      /Could not open '[^']*': (Permission denied|Read-only file system|Input\/output error)/,
    kind: 'disk-unreadable',
    vmFault: 'none',
    message: 'Cannot open the disk for reading and writing. It was not changed.',
    hint: 'Check its owner and permissions: it must belong to the user who runs the daemon.',
    exit: Exit.noPermission,
    recovery: 'give-up',
  },
  {
    pattern: /cannot set up guest memory|Cannot allocate memory/,
    kind: 'host-out-of-memory',
    isOfAnyStart: true,
    message: 'The host does not have enough free memory for the guest.',
    hint: advice`Quit other programs, or give the guest less memory: ${ours('configure', '-m MiB')}`,
    exit: Exit.osError,
    recovery: 'wait',
  },
  lacks(
    'user-mode networking (slirp)',
    advice`${anotherQemu}. Or install gvproxy, then run: ${ours('configure', '--network gvproxy')}`,
    noSlirp,
  ),
  lacks(
    'the machine type that the guest needs',
    anotherQemu,
    /unsupported machine type|Use -machine help to list supported machines/i,
  ),
  lacks('the CPU model that the guest needs', anotherQemu, /unable to find CPU model/),
  lacks(
    'a device that the guest needs',
    anotherQemu,
    /is not a valid device model name|Device '[^']*' not found|Unknown device '/,
  ),
  lacks(
    'an option that linuxkit-builder needs; it may be too old',
    anotherQemu,
    /: invalid option$|: Invalid parameter '|: Property '[^']*' not found|Parameter '[^']*' does not accept value '/m,
  ),
  {
    pattern:
      /could not load kernel|invalid kernel header|could not load initrd|error reading initrd|linux kernel too old/i,
    kind: 'image-not-a-kernel',
    isOfAnyStart: true,
    message: 'Cannot boot the image.',
    hint: advice`Rebuild the image: ${ours('image build')}`,
    exit: Exit.dataError,
    recovery: 'give-up',
    blames: 'image',
  },
];
