/** What vfkit's end means: its exit code is 0 or 1 for nearly everything, so what it said between `Error:` and its usage tells. */
import { Exit, type ExitCode, type Failure } from '../../system/failure.ts';
import { inMarks } from '../../system/plain-text.ts';
import { poweredOff, type VmEnd } from '../vm-driver.ts';
import { advice, ours } from '../../system/advice.ts';

/** The end of a vfkit that nobody asked to end, in words; undefined where there is nothing to add. */
export function explainVfkit({ ended, output, console }: VmEnd): Failure | undefined {
  if (ended.kind === 'not-started') return undefined;
  const text = errorIn(output);
  const known = text === undefined ? undefined : faults.find(({ pattern }) => pattern.test(text));
  if (known !== undefined) {
    const { pattern, ...fault } = known;
    return failureOf(fault, text, output);
  }
  if (ended.kind === 'signalled') return undefined;
  if (ended.code === 0)
    return failureOf(poweredOff('vfkit', console), undefined, console.slice(-20));
  return text === undefined ? undefined : failureOf(unknown, text, output);
}

/** Lines of cobra's usage: flags, and the heads of their lists. */
const usage = /^(Usage|Flags|Available Commands):|^ {2,}(-|vfkit |completion |help )|^Use "vfkit/;

/** Default exit code: unavailable. */
type Fault = Omit<Failure, 'exit' | 'lines'> & { readonly exit?: ExitCode };

const failureOf = (
  { message, exit = Exit.unavailable, ...fault }: Fault,
  said: string | undefined,
  lines: readonly string[],
): Failure => ({
  ...fault,
  exit,
  lines: lines.filter((line) => !usage.test(line)).slice(-20),
  message: said === undefined ? message : `${message} vfkit said: ${inMarks(said) ?? 'nothing'}.`,
});

/**
 * The text of its error. Each comes as `Error: TEXT`, then 20 lines of usage, whatever it is about, then TEXT once more; the framework's
 * have several lines. Where the listening of its REST interface fails there is a line of its log instead.
 */
export function errorIn(lines: readonly string[]): string | undefined {
  const at = lines.findLastIndex((line) => line.startsWith('Error: '));
  if (at >= 0) {
    const rest = lines.slice(at);
    const end = rest.findIndex((line) => line.startsWith('Usage:'));
    return rest
      .slice(0, end < 0 ? undefined : end)
      .join(' ')
      .replace(/^Error: /, '')
      .trim();
  }
  const fatal = lines.findLast((line) => /level=fatal|^(panic|fatal error): /.test(line));
  if (fatal !== undefined) return /msg="?(.*?)"?$/.exec(fatal)?.[1] ?? fatal;
  // The beginning is lost behind the usage: what it says last is the text again.
  const end = lines.findLastIndex((line) => usage.test(line));
  const last = end < 0 ? [] : lines.slice(end + 1).filter((line) => line.trim() !== '');
  return last.length === 0 ? undefined : last.join(' ').trim();
}

const seeLogs = advice`See its output: ${ours('logs')}`;
const report = advice`Please report this, with the output of: ${ours('daemon', '--dry-run')}`;

const unknown: Fault = {
  kind: 'vm-exited',
  vmFault: 'passes',
  message: 'vfkit exited.',
  hint: seeLogs,
  blames: 'image',
};

/** The first that fits counts. The framework's codes are in Code-Hex/vz, vzerror.go. */
const faults: readonly (Fault & { readonly pattern: RegExp })[] = [
  {
    pattern: /com\.apple\.security\.virtualization/,
    kind: 'vm-forbidden',
    vmFault: 'lasts',
    message:
      'macOS does not let this vfkit run virtual machines: it is not signed with the entitlement for that.',
    hint: 'Install a signed one: brew install vfkit. Do not sign it again without its entitlements.',
    exit: Exit.noPermission,
    recovery: 'give-up',
  },
  {
    pattern: /Virtualization is not available on this hardware/i,
    kind: 'vm-forbidden',
    vmFault: 'lasts',
    message: 'Virtualisation is not available on this Mac; it may be a virtual machine itself.',
    hint: advice`Use QEMU instead: ${ours('configure', '--vm qemu')}`,
    recovery: 'give-up',
  },
  {
    pattern: /storage device attachment is invalid/i,
    kind: 'vm-disk-busy',
    message: 'Another process has the disk open, so Virtualization.framework could not lock it.',
    hint: 'The start is retried, as a killed vfkit can hold the disk for a moment. If this persists, see in the state directory which process it is: lsof nix-disk',
    exit: Exit.temporary,
    recovery: 'wait',
  },
  {
    pattern: /VZErrorDomain Code=6\b|maximum supported number of active virtual machines/i,
    kind: 'vm-limit',
    vmFault: 'passes',
    message: 'macOS already runs as many virtual machines as it allows.',
    hint: 'Stop a virtual machine of another program. After some macOS updates, stopped ones count until the Mac is restarted.',
    exit: Exit.temporary,
    recovery: 'wait',
  },
  {
    pattern: /VZErrorDomain Code=8\b|no space left on device/i,
    kind: 'host-disk-full',
    vmFault: 'none',
    message: "The host's disk is full, so the guest cannot write.",
    hint: advice`Free some space: nix-collect-garbage on this machine, and ${ours('gc')} for the guest`,
    exit: Exit.ioError,
    recovery: 'wait',
  },
  {
    pattern: /VZErrorDomain Code=5\b|failed to (open file|read the header)|does not support qcow2/i,
    kind: 'disk-unreadable',
    vmFault: 'none',
    message: 'vfkit cannot use the disk. It was not changed.',
    hint: 'It must be a raw disk image that belongs to the user who runs the daemon.',
    exit: Exit.noPermission,
    recovery: 'give-up',
  },
  {
    pattern: /no route to host|EHOSTUNREACH/i,
    kind: 'vm-network-away',
    vmFault: 'passes',
    message:
      'macOS blocks the connection between vfkit and the network program (no route to host).',
    hint: advice`Allow it in System Settings > Privacy & Security > Local Network, then run: ${ours('restart')}`,
    exit: Exit.noPermission,
    recovery: 'give-up',
  },
  {
    pattern: /unixgram path .* is too long/i,
    kind: 'vm-path-too-long',
    vmFault: 'lasts',
    message: "The path of the state directory is too long for vfkit's network socket.",
    hint: 'Choose a shorter path, with -d or XDG_CACHE_HOME.',
    recovery: 'give-up',
  },
  {
    pattern: /unixgram .*(no such file or directory|connection refused)/i,
    kind: 'vm-network-away',
    vmFault: 'passes',
    message: 'The network program was not running when vfkit started.',
    hint: advice`The next attempt starts both again. ${seeLogs}`,
  },
  {
    pattern: /kernel must be uncompressed|invalid linux kernel path|invalid initial RAM disk path/i,
    kind: 'vm-kernel-refused',
    vmFault: 'lasts',
    message: 'vfkit rejected the kernel or the initrd.',
    hint: advice`Rebuild the image: ${ours('image build')}`,
    recovery: 'give-up',
    blames: 'image',
  },
  {
    pattern: /address already in use/i,
    kind: 'vm-socket-taken',
    message: "The name of vfkit's control socket was already in use.",
    hint: 'The next attempt removes it first.',
    exit: Exit.temporary,
  },
  {
    pattern: /timeout waiting for VM state/i,
    kind: 'vm-slow-start',
    vmFault: 'passes',
    message: 'The VM did not start within the 5 s that vfkit allows: the host was busy or asleep.',
    hint: 'The start is retried.',
    exit: Exit.temporary,
  },
  {
    pattern: /hypervisor virtualization error|VZErrorDomain Code=1\b/i,
    kind: 'vm-error',
    vmFault: 'passes',
    message: 'Virtualization.framework stopped the VM because of an error.',
    hint: 'vfkit is not told the reason; look in Console.app for reports of com.apple.Virtualization.VirtualMachine.',
    deaf: 'dead',
  },
  {
    pattern: /VZErrorDomain Code=(2|10)\b/,
    kind: 'vm-usage',
    vmFault: 'lasts',
    message: "Virtualization.framework rejected the VM's configuration.",
    hint: advice`Try fewer CPUs or less memory: ${ours('configure', '-c CPUS -m MiB')}. If that does not help, please report this.`,
    recovery: 'give-up',
  },
  {
    pattern:
      /^unknown (flag|shorthand|option|device|bootloader)|invalid argument|flag needs an argument|mismatched "|empty option list|must all be set|unexpected value|unsupported virtio/i,
    kind: 'vm-usage',
    vmFault: 'lasts',
    message: 'vfkit rejected its command line.',
    hint: report,
    recovery: 'give-up',
  },
  {
    pattern: /^(panic|fatal error): /,
    kind: 'vm-crashed',
    vmFault: 'passes',
    message: 'vfkit crashed.',
    hint: seeLogs,
  },
];
