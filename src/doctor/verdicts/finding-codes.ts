/** What a finding says, in one word each: programs and tests go by these, and the sentences may be worded anew. */

/** A finding's code, by the subject of the check that reports it. */
export type FindingCode = 'check-failed' | MachineCode | JobCode | LifeCode | SshCode | NixCode;

/** Of programs, settings, files and the image. */
type MachineCode =
  | 'not-set-up'
  | 'settings-invalid'
  | 'programs-missing'
  | 'ssh-not-openssh'
  | 'ssh-too-old'
  | 'node-translated'
  | 'node-not-tried'
  | 'directory-unusable'
  | 'directory-open'
  | 'access-list-open'
  | 'loopback-unreachable'
  | 'never-started'
  | 'inodes-few'
  | 'disk-too-large'
  | 'space-low'
  | 'disk-on-other-volume'
  | 'disk-exposed'
  | 'keys-open'
  | 'image-too-old'
  | 'image-old-accepted'
  | 'image-rejected'
  | 'image-without-manifest'
  | 'image-behind'
  | 'emulated';

/** Of the login job, and of the job at boot. */
type JobCode =
  | 'job-program-gone'
  | 'job-by-hand'
  | 'job-outdated'
  | 'job-files-changed'
  | 'job-not-applied'
  | 'job-not-loaded'
  | 'job-ended-badly'
  | 'job-ends-at-logout'
  | 'boot-job-unwanted'
  | 'boot-job-outdated'
  | 'boot-job-missing'
  | 'no-systemd';

/** Of the daemon, the VM, the guest and the door. */
type LifeCode =
  | 'daemon-not-running'
  | 'daemon-not-heard'
  | 'network-built-in'
  | 'network-exited'
  | 'vm-not-running'
  | 'vm-to-start'
  | 'console-silent'
  | 'guest-away'
  | 'guest-slow'
  | 'guest-frozen'
  | 'guest-not-ready'
  | 'clock-not-measured'
  | 'clock-wrong'
  | 'returns-not-reported'
  | 'returns-memory'
  | 'returns-disk'
  | 'returns-nothing'
  | 'suspend-given-up'
  | 'door-is-socket'
  | 'door-closed'
  | 'door-not-ssh'
  | 'drained'
  | 'caches-not-asked'
  | 'cache-unresolved'
  | 'cache-unreached'
  | 'cache-unreached-here';

/** Of the files by which ssh finds the guest, and of ssh itself. */
type SshCode =
  | 'file-by-hand'
  | 'files-changed'
  | 'files-older'
  | 'root-drift'
  | 'ssh-config-open'
  | 'ssh-config-unused'
  | 'ssh-config-refused'
  | 'ssh-config-unfinished'
  | 'ssh-config-overridden'
  | 'ssh-options-left'
  | 'ssh-needs-root'
  | 'ssh-unanswered'
  | 'nix-sshopts'
  | 'shell-unusable'
  | 'printed-by-ssh'
  | 'printed-by-shell'
  | 'variables-sent';

/** Of Nix: its settings, its list of machines, what it is told of the builder, a build. */
type NixCode =
  | 'feature-missing'
  | 'system-missing'
  | 'kvm-not-offered'
  | 'nix-missing'
  | 'nix-broken'
  | 'nix-conflict'
  | 'machines-unreadable'
  | 'machines-invalid'
  | 'machines-line-missing'
  | 'nix-build-missing'
  | 'build-failed';
