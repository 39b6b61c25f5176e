/** What HyperKit's end means: its exit codes and signals are facts about the guest, about its command line, or about the host. */
import { guestPanicked } from '../../domain/guest-panicked.ts';
import { Exit, type Failure } from '../../system/failure.ts';
import { poweredOff, type VmEnd } from '../vm-driver.ts';
import { advice, ours } from '../../system/advice.ts';

/** The end of a HyperKit that nobody asked to end, in words; undefined where there is nothing to add. */
export function explainHyperkit({ ended, output, console }: VmEnd): Failure | undefined {
  switch (ended.kind) {
    case 'exited':
      return (
        said(output) ??
        (ended.code === 2
          ? reboot(console)
          : words(ended.code === 0 ? poweredOff('HyperKit', console) : codes[ended.code], [
              ...told(console),
              ...output,
            ]))
      );
    case 'signalled':
      return said(output) ?? killed(ended.signal, console, output);
    case 'not-started':
      return undefined;
  }
}

/** What of the console goes with the failure: all of it is judged. */
const told = (console: readonly string[]): readonly string[] => console.slice(-20);

type Words = Omit<Failure, 'exit' | 'lines'>;

const words = (known: Words | undefined, lines: readonly string[]): Failure | undefined =>
  known && { ...known, exit: Exit.unavailable, lines };

const seeLogs = advice`See its output: ${ours('logs')}`;
const seeConsole = advice`See the guest's last lines: ${ours('console')}`;
const report = advice`Please report this, with the output of: ${ours('daemon', '--dry-run')}`;

/** hyperkit.c, vmexit_suspend and errx. 0 and 2 are told apart by the console. */
const codes: Readonly<Record<number, Words>> = {
  1: {
    kind: 'vm-refused',
    vmFault: 'passes',
    message: 'HyperKit could not create the VM (it exited with code 1).',
    hint: seeLogs,
  },
  3: {
    kind: 'guest-triple-fault',
    message: "The guest's CPU crashed with a triple fault (HyperKit exited with code 3).",
    hint: seeConsole,
    blames: 'image',
  },
  64: {
    kind: 'vm-usage',
    vmFault: 'lasts',
    message: 'HyperKit rejected its command line (it exited with code 64).',
    hint: report,
    recovery: 'give-up',
  },
  100: {
    kind: 'vm-exited',
    vmFault: 'passes',
    message: 'HyperKit exited for an unknown reason (with code 100).',
    hint: seeConsole,
    blames: 'image',
  },
};

const signals: Readonly<Record<string, Words>> = {
  SIGABRT: {
    kind: 'vm-aborted',
    vmFault: 'lasts',
    message:
      'HyperKit aborted: the host does not let it run a VM, or it met something that it does not support.',
    hint: 'It needs an Intel Mac on which nothing else blocks Hypervisor.framework, as VirtualBox before version 6 does.',
    recovery: 'give-up',
  },
  SIGSEGV: {
    kind: 'vm-usage',
    vmFault: 'lasts',
    message: 'HyperKit crashed (SIGSEGV), as it does when it does not know a network option.',
    hint: report,
    recovery: 'give-up',
  },
  SIGTERM: {
    kind: 'vm-terminated',
    message: 'HyperKit was terminated (SIGTERM) before its guest could react to the power button.',
    hint: 'Find out which process terminated it; linuxkit-builder did not.',
  },
};

/** A crash before the guest's first word is the host's or the command line's, and comes again; a later one need not. */
function killed(
  signal: string,
  console: readonly string[],
  output: readonly string[],
): Failure | undefined {
  const lines = [...told(console), ...output];
  const isCrash = signal === 'SIGABRT' || signal === 'SIGSEGV';
  return isCrash && console.length > 0
    ? words({ ...crashed, message: `HyperKit crashed (${signal}).` }, lines)
    : words(signals[signal], lines);
}

const crashed = { kind: 'vm-crashed', vmFault: 'passes', hint: seeLogs } as const;

/** HyperKit never restarts a guest: a reboot is exit code 2, and with panic=-1 a panic is a reboot. */
function reboot(console: readonly string[]): Failure {
  const panic = console.find((line) => line.includes('Kernel panic'));
  return panic === undefined
    ? {
        kind: 'guest-rebooted',
        message: 'The guest rebooted, at which HyperKit exits (code 2).',
        hint: seeConsole,
        exit: Exit.unavailable,
        blames: 'image',
        deaf: 'dead',
        lines: told(console),
      }
    : guestPanicked(panic, told(console));
}

/** Sentences of HyperKit that say more than its exit code. */
const sentences: readonly (readonly [RegExp, Words])[] = [
  [
    /Could not lock backing file/,
    {
      kind: 'vm-disk-busy',
      message: 'Another process has the disk open, so HyperKit could not lock it.',
      hint: 'It is probably a leftover HyperKit. Find it and stop it: ps -axo pid,comm | grep hyperkit',
      recovery: 'wait',
    },
  ],
  [
    /kexec: failed to load/,
    {
      kind: 'vm-kernel-refused',
      vmFault: 'lasts',
      message: 'HyperKit could not load the kernel or the initrd.',
      hint: advice`Rebuild the image: ${ours('image build')}`,
      recovery: 'give-up',
      blames: 'image',
    },
  ],
  [
    /hv_vm_create|Unable to create VM/,
    {
      kind: 'vm-forbidden',
      vmFault: 'lasts',
      message: 'The host does not let HyperKit create a VM.',
      hint: 'HyperKit must be signed with the entitlement com.apple.security.hypervisor, and the CPU must support VT-x.',
      recovery: 'give-up',
    },
  ],
  [
    /path too long/,
    {
      kind: 'vm-path-too-long',
      vmFault: 'lasts',
      message: "The path of the state directory is too long for HyperKit's vsock sockets.",
      hint: 'Choose a shorter path, with -d or XDG_CACHE_HOME.',
      recovery: 'give-up',
    },
  ],
];

function said(output: readonly string[]): Failure | undefined {
  for (const line of output.toReversed())
    for (const [pattern, known] of sentences)
      if (pattern.test(line))
        return {
          ...known,
          message: `${known.message} HyperKit said: ${line.trim()}`,
          exit: Exit.unavailable,
          lines: output,
        };
  return undefined;
}
