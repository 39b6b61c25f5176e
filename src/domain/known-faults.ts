/** Faults that others have met and reported: by what they are recognised, what they are, what helps. Data, to be printed as JSON too. */

import type { VmName } from './vm-programs.ts';

export interface Versions {
  readonly from?: string;
  readonly before?: string;
}

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
  readonly remedy: string;
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
    cause: 'QEMU 11 built with an older SDK aborts on every Apple Silicon Mac from macOS 15.2 on.',
    remedy:
      'Use another build of QEMU (brew install qemu), or: linuxkit-builder configure --accelerator tcg',
    report: 'NixOS/nixpkgs#532038',
  },
  {
    id: 'qemu-sme',
    program: 'qemu',
    platform: 'darwin',
    version: { before: '9.2' },
    pattern: '\\bsme\\b.*(property|isv|assert)|isv.*assert',
    cause: 'QEMU before 9.2 does not know the SME of an M4.',
    remedy: 'Get a newer QEMU.',
    report: 'nix-darwin/nix-darwin#1292',
  },
  {
    id: 'disk-open-twice',
    pattern:
      'failed to get "?(write|shared "?write"?|consistent read)"? lock|could not lock .*disk',
    cause: 'Two programs have the disk open: a VM that was left behind, or one of another tool.',
    remedy: 'linuxkit-builder stop, then see who is left: lsof nix-disk',
    report: 'lima-vm/lima#357',
  },
  {
    id: 'hyperkit-catalina',
    program: 'hyperkit',
    platform: 'darwin',
    macos: { from: '10.15' },
    version: { before: '0.20200224' },
    signals: ['SIGABRT', 'SIGSEGV', 'SIGILL'],
    cause: 'HyperKit before 0.20200224 crashes from macOS 10.15 on.',
    remedy: 'Get a newer HyperKit, or use QEMU.',
    report: 'kubernetes/minikube#6149',
  },
  {
    id: 'local-network-privacy',
    program: 'ssh',
    platform: 'darwin',
    macos: { from: '15' },
    pattern: 'no route to host',
    cause:
      'macOS keeps programs of users from the local network unless it is allowed; root is exempt.',
    remedy: 'Allow your terminal in System Settings, Privacy & Security, Local Network.',
    report: 'utmapp/UTM#6692',
  },
  {
    id: 'gvproxy-local-network',
    program: 'gvproxy',
    platform: 'darwin',
    macos: { from: '15' },
    pattern: 'no route to host|EHOSTUNREACH',
    cause:
      "macOS keeps programs of users from the local network unless it is allowed, so the guest does not reach it either; the guest's way to the Internet is not concerned.",
    remedy:
      'Allow it in System Settings, Privacy & Security, Local Network, then: linuxkit-builder restart',
    report: 'kubernetes/minikube#23691',
  },
  {
    id: 'gvproxy-no-buffers',
    program: 'gvproxy',
    version: { before: '0.7.4' },
    pattern: 'no buffer space available|ENOBUFS',
    cause: 'gvproxy before 0.7.4 ends when the guest takes its packets too slowly.',
    remedy: 'Get a newer gvproxy (brew install podman).',
    report: 'containers/gvisor-tap-vsock#367',
  },
  {
    id: 'vfkit-not-signed',
    program: 'vfkit',
    platform: 'darwin',
    pattern: 'com\\.apple\\.security\\.virtualization',
    cause:
      'A vfkit that was downloaded unsigned, or signed again, has no right to run virtual machines.',
    remedy: 'brew install vfkit',
    report: 'crc-org/vfkit#91',
  },
  {
    id: 'vfkit-disk-locked',
    program: 'vfkit',
    platform: 'darwin',
    pattern: 'storage device attachment is invalid',
    cause:
      'Virtualization.framework locks the disk, and somebody else has it locked: another VM, or one that was killed a moment ago.',
    remedy: 'Wait some seconds; who has it says: lsof nix-disk',
    report: 'tinylabscom/mvm#549',
  },
  {
    id: 'vfkit-compressed-kernel',
    program: 'vfkit',
    platform: 'darwin',
    pattern: 'kernel must be uncompressed',
    cause: 'Virtualization.framework boots an uncompressed kernel alone, on Apple silicon.',
    remedy: 'linuxkit-builder image build, then linuxkit-builder restart',
    report: 'crc-org/vfkit#11',
  },
  {
    id: 'root-knows-no-alias',
    program: 'ssh',
    pattern: 'could not resolve hostname nix-linuxkit',
    cause: "nix-daemon runs as root, and root's ssh does not read your configuration.",
    remedy: 'linuxkit-builder configure',
    report: 'nix-community/linuxkit-nix#7',
  },
  {
    id: 'ssh-bad-owner',
    program: 'ssh',
    pattern: 'bad owner or permissions on',
    cause: 'ssh reads no configuration that others could write, and then reads none at all.',
    remedy: 'chmod 600 that file, and chown it to its user.',
    report: 'nix-community/home-manager#322',
  },
  {
    id: 'too-many-keys',
    program: 'ssh',
    pattern: 'too many authentication failures',
    cause: 'An agent offers all of its keys before ours.',
    remedy: 'linuxkit-builder configure: its stanza has to be the first in ~/.ssh/config.',
    report: 'trailofbits/coop#68',
  },
  {
    id: 'bad-machines-line',
    program: 'nix',
    pattern: 'bad machine specification|error: stoull',
    cause: 'One malformed line disables every builder in the list.',
    remedy: 'linuxkit-builder doctor names the line.',
    report: 'nix-darwin/nix-darwin#1060',
  },
  {
    id: 'no-machine-fits',
    program: 'nix',
    pattern: 'failed to find a machine for remote build|required to build .* is a .* with features',
    cause:
      'No builder in the list has the system and the features, or the first connection to it failed.',
    remedy: 'linuxkit-builder explain names the condition that does not hold.',
    report: 'NixOS/nix#10451',
  },
  {
    id: 'not-trusted-in-guest',
    program: 'nix',
    pattern: 'not privileged to build input-addressed',
    cause: "The guest's Nix does not trust the user that logs in: the image is not one of ours.",
    remedy: 'linuxkit-builder image build, then linuxkit-builder restart',
    report: 'NixOS/nix#2789',
  },
  {
    id: 'unsigned-path',
    program: 'nix',
    pattern: 'lacks a (valid )?signature by a trusted key',
    cause: 'Paths are copied by somebody whom the receiving Nix does not trust.',
    remedy: 'Build through nix-daemon, without --store and --builders on the command line.',
    report: 'nix-community/infra#961',
  },
  {
    id: 'clock-behind',
    pattern: 'certificate (is )?not (yet )?valid|not yet valid|modification time .* in the future',
    cause: "The guest's clock stood still while the host slept.",
    remedy: 'linuxkit-builder doctor; then linuxkit-builder restart',
    report: 'lima-vm/lima#850',
  },
  {
    id: 'guest-disk-full',
    pattern: 'no space left on device',
    cause: "The guest's disk, or this machine's, is full.",
    remedy: 'linuxkit-builder gc; or a larger disk: linuxkit-builder configure -s GiB',
    report: 'nix-community/linuxkit-nix#34',
  },
  {
    id: 'upload-lock',
    program: 'nix',
    pattern: 'waiting for the upload lock',
    cause: 'Nix copies to one builder for one build at a time; another build is copying much.',
    remedy: 'Wait, or set builders-use-substitutes = true, so that the guest fetches by itself.',
    report: 'NixOS/nix#11083',
  },
  {
    id: 'job-program-missing',
    program: 'launchctl',
    platform: 'darwin',
    exitCodes: [78],
    cause:
      'launchd could not run the program or open its output: a volume was not mounted, or a file is gone.',
    remedy: 'linuxkit-builder configure, then linuxkit-builder start',
    report: 'NixOS/nix#2925',
  },
];
