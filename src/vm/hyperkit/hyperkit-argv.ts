/** HyperKit's command line: data in, argv out, as HyperKit's own parser takes it (moby/hyperkit, src/hyperkit.c). */
import { counted } from '../../domain/counted.ts';
import { refusal } from '../../system/files/reasons.ts';
import { closeSync, openSync, readSync } from 'node:fs';
import type { Layout } from '../../config/layout.ts';
import { maxSocketPath } from '../../config/layout.ts';
import { vmPrograms } from '../../domain/vm-programs.ts';
import type { Problem } from '../../domain/problem.ts';
import type { Launch } from '../../system/process/child.ts';
import type { PlanInput, ProblemsInput } from '../vm-driver.ts';
import { advice, ours, type Text } from '../../system/advice.ts';

/** The guest's vsock address, and the ports on which it listens there: docs/guest-contract.md. */
const guestCid = 3;
/** Ports of the guest's vsock: docs/guest-contract.md. */
export const vsockPorts = { ssh: 22, agent: 1024 };

/** HyperKit's virtio-sock makes `DIR/00000003.00000016` and the like, 19 bytes behind the directory, and refuses to truncate. */
const maxVsockDirectory = 104 - 19;

/**
 * What is written to HyperKit's `connect` socket to reach a vsock port: 18 bytes, in one piece. There is no answer; a port
 * where nobody listens is closed some time later.
 */
export const vsockHello = (port: number): string => `${hex8(guestCid)}.${hex8(port)}\n`;
const hex8 = (number: number): string => number.toString(16).padStart(8, '0');

/**
 * The whole command line of one start. No -F: the daemon knows the pid, and a pidfile that is left stops the next start. No
 * virtio-9p: when its server dies, the guest is killed at once.
 */
export function hyperkitPlan(input: PlanInput): Launch {
  const { config, layout, program, uuid } = input;
  return {
    program,
    argv: [
      // -A: ACPI tables, without which SIGTERM is no power button.
      '-A',
      '-u',
      '-c',
      String(config.cpus),
      '-m',
      `${config.memoryMiB}M`,
      '-s',
      '0:0,hostbridge',
      '-s',
      '31,lpc',
      '-s',
      `1:0,virtio-vpnkit,${card(input)}`,
      '-U',
      machineUuid(uuid),
      // Created and sized by us: HyperKit does neither.
      '-s',
      `2:0,virtio-blk,${layout.disk}`,
      '-s',
      `3,virtio-sock,guest_cid=${guestCid},path=${layout.state}`,
      '-s',
      '4,virtio-rnd',
      // log= alone is refused; the terminal is read by nobody, and drops what it cannot hold.
      '-l',
      `com1,autopty=${layout.tty},log=${layout.consoleRing}`,
      '-f',
      `kexec,${layout.kernel},${layout.initrd},${commandLine(input)}`,
    ],
    env: { PATH: '/usr/bin:/bin', TMPDIR: layout.state },
    cwd: layout.state,
  };
}

/**
 * The card's uuid as one for the machine. HyperKit aborts at one of the variant 111 (its 17th digit is e or f), which nothing but
 * its tables of SMBIOS asks for: uuid_from_string, as in FreeBSD's lib/libc/uuid. VPNKit knows the card by the uuid as it is.
 */
const machineUuid = (uuid: string): string => uuid.replace(/^(.{19})[ef]/i, '$1a');

const commandLine = ({ cmdline, config: { system } }: PlanInput): string =>
  [cmdline, `console=${vmPrograms.hyperkit.console.device[system]}`, 'linuxkit-builder.vm=hyperkit']
    .filter((part) => part !== '')
    .join(' ');

/** Keys that it does not know make HyperKit crash (SIGSEGV): it is `preferred_ipv4`, not `preferred_ip`. */
function card({ network }: PlanInput): string {
  const { attachment } = network;
  if (attachment?.kind !== 'vpnkit') throw new Error(`HyperKit has no network ${network.name}`);
  const { socket, uuid, preferredIpv4 } = attachment;
  const preferred = preferredIpv4 === undefined ? '' : `,preferred_ipv4=${preferredIpv4}`;
  return `path=${socket},uuid=${uuid}${preferred}`;
}

/** Files that HyperKit makes and never removes. */
export const hyperkitStale = ({ state, vsock, agent, tty }: Layout): string[] => [
  vsock,
  agent,
  tty,
  ...Object.values(vsockPorts).flatMap((port) => [
    `${state}/${hex8(guestCid)}.${hex8(port)}`,
    `${state}/guest.${hex8(port)}`,
  ]),
];

/** What HyperKit would take for something else, cut off in silence, or abort at when it is too late to say so. */
export function hyperkitProblems({ layout, bundle }: ProblemsInput): Problem[] {
  const problems: Problem[] = [];
  const bad = (path: string, value: unknown, message: string, hint: Text) =>
    problems.push({ path, value, message, hint });
  const shorter = 'Choose a shorter path, with -d or XDG_CACHE_HOME.';
  const over = Buffer.byteLength(layout.state) - maxVsockDirectory;
  if (over > 0)
    bad(
      'state directory',
      layout.root,
      `is ${counted(over, 'byte')} too long for HyperKit's vsock`,
      shorter,
    );
  if (Buffer.byteLength(layout.vpnkitSocket) > maxSocketPath)
    bad('state directory', layout.root, 'is too long for the network socket', shorter);
  // -f splits at its first three commas, -s at all of them; there is no quoting.
  if (layout.root.includes(','))
    bad(
      'state directory',
      layout.root,
      'contains a comma, which HyperKit does not support in paths',
      'Choose a path without one, with -d.',
    );
  if (bundle === undefined) return problems;
  const kernel = kernelProblem(bundle.kernel);
  if (kernel !== undefined)
    bad('bundle', bundle.kernel, kernel, advice`Build it: ${ours('image build')}`);
  return problems;
}

/** HyperKit's kexec loads bzImages of boot protocol 2.10 or later, and aborts at anything else (src/lib/firmware/kexec.c). */
function kernelProblem(path: string): string | undefined {
  const head = Buffer.alloc(0x208);
  try {
    const fd = openSync(path, 'r');
    try {
      readSync(fd, head, 0, head.length, 0);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return `cannot be read (${refusal(error)})`;
  }
  if (head.toString('latin1', 0x202, 0x206) !== 'HdrS') return 'is not an x86 kernel (bzImage)';
  return head.readUInt16LE(0x206) < 0x020a ? 'is too old for HyperKit' : undefined;
}
