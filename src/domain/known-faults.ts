/** Faults that others have met and reported: by what they are recognised, what they are, what helps. Data, to be printed as JSON too. */

import type { VmName } from './vm-programs.ts';
import { advice, ours, type Text } from '../system/advice.ts';

/** From the first of these on, and before the second; open where one is absent. */
export interface Versions {
  readonly from?: string;
  readonly before?: string;
}

/** One fault: what it is recognised by, and what helps. */
export interface KnownFault {
  /** Stable name. */
  readonly id: string;
  /** Whose words or whose end it is; any program where absent. */
  readonly program?: VmName | 'gvproxy' | 'ssh' | 'nix' | 'launchctl';
  /** Only there. */
  readonly platform?: 'darwin' | 'linux';
  /** macOS from, and before, these versions: `15.2`. */
  readonly macos?: Versions;
  /** Of the program, likewise. */
  readonly version?: Versions;
  /** How the program ended; one of these, where any is given. */
  readonly exitCodes?: readonly number[];
  readonly signals?: readonly string[];
  /** A regular expression, without regard to case, in what was said. */
  readonly pattern?: string;
  readonly cause: string;
  readonly remedy: Text;
  /** The public report that this rests on. */
  readonly report: string;
}

export const knownFaults: readonly KnownFault[] = [
  {
    id: 'qemu-hvf-sdk',
    program: 'qemu',
    platform: 'darwin',
    macos: { from: '15.2' },
    pattern: 'hvf_arch_init_vcpu|Assertion failed.*hvf',
    cause:
      'QEMU 11 aborts on Apple silicon with macOS 15.2 or newer if it was built with an older SDK.',
    remedy: advice`Install another build of QEMU (brew install qemu), or run: ${ours('configure', '--accelerator tcg')}`,
    report: 'NixOS/nixpkgs#532038',
  },
  {
    id: 'qemu-sme',
    program: 'qemu',
    platform: 'darwin',
    version: { before: '9.2' },
    pattern: '\\bsme\\b.*(property|isv|assert)|isv.*assert',
    cause: 'QEMU before 9.2 does not support the SME instructions of the M4.',
    remedy: 'Install QEMU 9.2 or newer.',
    report: 'nix-darwin/nix-darwin#1292',
  },
  {
    id: 'disk-open-twice',
    pattern:
      'failed to get "?(write|shared "?write"?|consistent read)"? lock|could not lock .*disk',
    cause:
      'Two programs have the disk open: perhaps a leftover VM, or one that another tool started.',
    remedy: advice`Run ${ours('stop')}, then see in the state directory which process still has it open: lsof nix-disk`,
    report: 'lima-vm/lima#357',
  },
  {
    id: 'hyperkit-catalina',
    program: 'hyperkit',
    platform: 'darwin',
    macos: { from: '10.15' },
    version: { before: '0.20200224' },
    signals: ['SIGABRT', 'SIGSEGV', 'SIGILL'],
    cause: 'HyperKit before 0.20200224 crashes on macOS 10.15 and newer.',
    remedy: 'Install a newer HyperKit, or use QEMU instead.',
    report: 'kubernetes/minikube#6149',
  },
  {
    id: 'local-network-privacy',
    program: 'ssh',
    platform: 'darwin',
    macos: { from: '15' },
    pattern: 'no route to host',
    cause:
      'macOS blocks access to the local network until you allow it for the program; root is exempt.',
    remedy: 'Allow it for your terminal: System Settings > Privacy & Security > Local Network.',
    report: 'utmapp/UTM#6692',
  },
  {
    id: 'gvproxy-local-network',
    program: 'gvproxy',
    platform: 'darwin',
    macos: { from: '15' },
    pattern: 'no route to host|EHOSTUNREACH',
    cause:
      "macOS blocks gvproxy's access to the local network until you allow it, so the guest cannot reach the local network either; its internet access is not affected.",
    remedy: advice`Allow it in System Settings > Privacy & Security > Local Network, then run: ${ours('restart')}`,
    report: 'kubernetes/minikube#23691',
  },
  {
    id: 'gvproxy-no-buffers',
    program: 'gvproxy',
    version: { before: '0.7.4' },
    pattern: 'no buffer space available|ENOBUFS',
    cause: 'gvproxy before 0.7.4 exits if the guest reads its packets too slowly.',
    remedy: 'Install a newer gvproxy: brew install podman',
    report: 'containers/gvisor-tap-vsock#367',
  },
  {
    id: 'vfkit-not-signed',
    program: 'vfkit',
    platform: 'darwin',
    pattern: 'com\\.apple\\.security\\.virtualization',
    cause:
      'This vfkit is unsigned, or was signed again without its entitlements, so macOS does not let it run virtual machines.',
    remedy: 'Install a signed one: brew install vfkit',
    report: 'crc-org/vfkit#91',
  },
  {
    id: 'vfkit-disk-locked',
    program: 'vfkit',
    platform: 'darwin',
    pattern: 'storage device attachment is invalid',
    cause:
      'Virtualization.framework cannot lock the disk: another VM has it locked, or one that was killed a moment ago.',
    remedy:
      'Wait a few seconds, then see in the state directory which process has it open: lsof nix-disk',
    report: 'tinylabscom/mvm#549',
  },
  {
    id: 'vfkit-compressed-kernel',
    program: 'vfkit',
    platform: 'darwin',
    pattern: 'kernel must be uncompressed',
    cause: 'On Apple silicon, Virtualization.framework can only boot an uncompressed kernel.',
    remedy: advice`Run ${ours('image build')}, then ${ours('restart')}`,
    report: 'crc-org/vfkit#11',
  },
  {
    id: 'root-knows-no-alias',
    program: 'ssh',
    pattern: 'could not resolve hostname nix-linuxkit',
    cause: "nix-daemon runs as root, and root's ssh does not read your ~/.ssh/config.",
    remedy: advice`Run: ${ours('configure')}`,
    report: 'nix-community/linuxkit-nix#7',
  },
  {
    id: 'ssh-bad-owner',
    program: 'ssh',
    pattern: 'bad owner or permissions on',
    cause: 'ssh refuses to run if others can write to its configuration file.',
    remedy: 'Run chmod 600 on that file, and make sure that its user owns it.',
    report: 'nix-community/home-manager#322',
  },
  {
    id: 'too-many-keys',
    program: 'ssh',
    pattern: 'too many authentication failures',
    cause: "The ssh agent offers all of its keys before the builder's key.",
    remedy: advice`Run ${ours('configure')}; the builder's section must come first in ~/.ssh/config.`,
    report: 'trailofbits/coop#68',
  },
  {
    id: 'bad-machines-line',
    program: 'nix',
    pattern: 'bad machine specification|error: stoull',
    cause: 'One malformed line in the list of machines disables all of them.',
    remedy: advice`See which line it is: ${ours('doctor')}`,
    report: 'nix-darwin/nix-darwin#1060',
  },
  {
    id: 'no-machine-fits',
    program: 'nix',
    // Of the build hook (build-remote.cc), then of the build itself, in its older and its newer words. Values may be in colour.
    pattern:
      'failed to find a machine for remote build|with features .*is required to build|required system or feature not available',
    cause:
      'No builder in the list supports the system and all required features, or the first connection to it failed.',
    remedy: advice`See which condition is not met: ${ours('explain')}`,
    report: 'NixOS/nix#10451',
  },
  {
    id: 'not-trusted-in-guest',
    program: 'nix',
    pattern: 'not privileged to build input-addressed',
    cause:
      'Nix in the guest does not trust the user that logs in, so the image was not made by linuxkit-builder.',
    remedy: advice`Run ${ours('image build')}, then ${ours('restart')}`,
    report: 'NixOS/nix#2789',
  },
  {
    id: 'unsigned-path',
    program: 'nix',
    pattern: 'lacks a (valid )?signature by a trusted key',
    cause: 'The paths were copied by a user whom the receiving Nix does not trust.',
    remedy: 'Build through nix-daemon, without --store or --builders on the command line.',
    report: 'nix-community/infra#961',
  },
  {
    id: 'clock-behind',
    pattern: 'certificate (is )?not (yet )?valid|not yet valid|modification time .* in the future',
    cause: "The guest's clock stopped while the host was asleep.",
    remedy: advice`Run ${ours('doctor')}, then ${ours('restart')}`,
    report: 'lima-vm/lima#850',
  },
  {
    id: 'guest-disk-full',
    pattern: 'no space left on device',
    cause: 'The disk of the guest or of this machine is full.',
    remedy: advice`Run ${ours('gc')}, or enlarge the disk: ${ours('configure', '-s GiB')}`,
    report: 'nix-community/linuxkit-nix#34',
  },
  {
    id: 'upload-lock',
    program: 'nix',
    pattern: 'waiting for the upload lock',
    cause: 'Nix copies to a builder for one build at a time, and another build is copying a lot.',
    remedy:
      'Wait, or set builders-use-substitutes = true, so that the guest downloads dependencies itself.',
    report: 'NixOS/nix#11083',
  },
  {
    id: 'job-program-missing',
    program: 'launchctl',
    platform: 'darwin',
    exitCodes: [78],
    cause:
      'launchd could not run the program or open its output file: a volume is not mounted, or a file was removed.',
    remedy: advice`Run ${ours('configure')}, then ${ours('start')}`,
    report: 'NixOS/nix#2925',
  },
];
