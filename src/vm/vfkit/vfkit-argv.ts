/** vfkit's command line: data in, argv out, as vfkit's own parser takes it (crc-org/vfkit, pkg/cmdline and pkg/config). */
import { counted } from '../../domain/counted.ts';
import { refusal } from '../../system/files/reasons.ts';
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { maxSocketPath, type Layout } from '../../config/layout.ts';
import type { Problem } from '../../domain/problem.ts';
import { vmPrograms } from '../../domain/vm-programs.ts';
import type { Launch } from '../../system/process/child.ts';
import type { Abilities, PlanInput, ProblemsInput } from '../vm-driver.ts';
import { advice, ours } from '../../system/advice.ts';

/** The vsock port on which the guest's agent listens: docs/guest-contract.md. */
const agentPort = 1024;

/**
 * The whole command line of one start. No --pidfile: it is never removed, and written by starts that fail too. No --timesync: it would
 * take the agent's only seat.
 */
export function vfkitPlan(input: PlanInput): Launch {
  const { config, layout, program } = input;
  return {
    program,
    argv: [
      '--cpus',
      String(config.cpus),
      '--memory',
      String(config.memoryMiB),
      ...kernel(input),
      '--device',
      `virtio-blk,path=${layout.disk}`,
      '--device',
      card(input),
      '--device',
      `virtio-serial,logFilePath=${layout.consoleRing}`,
      '--device',
      'virtio-rng',
      // The path as it is, not as an address; without `connect` the guest would be the one who dials.
      '--device',
      `virtio-vsock,port=${agentPort},socketURL=${layout.vfkitAgent},connect`,
      '--restful-uri',
      `unix://${encodeURI(layout.vfkitRest)}`,
    ],
    env: { PATH: '/usr/bin:/bin', TMPDIR: layout.state },
    cwd: layout.state,
  };
}

/** One text with commas, in which the kernel's words stand in quotes. Words with quotes of their own go by the three older flags. */
function kernel({ layout, cmdline, config: { system } }: PlanInput): string[] {
  const device = vmPrograms.vfkit.console.device[system];
  const words = [cmdline, `console=${device}`, 'linuxkit-builder.vm=vfkit']
    .filter((part) => part !== '')
    .join(' ');
  return words.includes('"')
    ? ['--kernel', layout.kernel, '--initrd', layout.initrd, '--kernel-cmdline', words]
    : ['--bootloader', `linux,kernel=${layout.kernel},initrd=${layout.initrd},cmdline="${words}"`];
}

/** The form that all versions take; 0.6.2 and 0.6.3 have another one besides. */
function card({ network }: PlanInput): string {
  const { attachment } = network;
  if (attachment?.kind !== 'vfkit') throw new Error(`vfkit has no network ${network.name}`);
  return `virtio-net,unixSocketPath=${attachment.socket},mac=${attachment.mac}`;
}

/** What vfkit, or a vfkit that was killed, leaves behind; also its card's own socket, of which it makes another one at each start. */
export const vfkitStale = (layout: Layout): readonly string[] => [
  layout.vfkitRest,
  layout.vfkitAgent,
  layout.agent,
  ...cardSockets(dirname(layout.gramSocket)),
];

function cardSockets(directory: string): string[] {
  try {
    return readdirSync(directory).flatMap((name) => {
      const [, own] = /^(vfkit-[0-9a-f]+-[0-9a-f]+\.sock)(\.spare)?$/.exec(name) ?? [];
      return own === undefined ? [] : [join(directory, own)];
    });
  } catch {
    // No directory, no sockets.
    return [];
  }
}

/** vfkit makes `vfkit-PID-RANDOM.sock` beside the network's socket, at most 21 bytes and a slash, and refuses 104 (pkg/vf/virtionet.go). */
const maxCardDirectory = 81;

/** The first that leaves neither the disk nor its sockets in danger: 0.5.0 spoils ext4, 0.5.1 puts its network socket into the home. */
const firstVersion = [0, 6, 0] as const;

/** What vfkit would take for something else, or would do without in silence. */
export const vfkitProblems = ({ config, layout, bundle, abilities }: ProblemsInput): Problem[] =>
  [
    tooOld(abilities),
    tooLong(layout),
    oddPath(layout),
    bundle && config.system === 'aarch64-linux' ? wrongKernel(bundle.kernel) : undefined,
  ].filter((problem) => problem !== undefined);

function tooOld(abilities: Abilities | undefined): Problem | undefined {
  const version = oldVersion(abilities);
  return version === undefined
    ? undefined
    : {
        path: 'vm',
        value: `vfkit ${version}`,
        message:
          'is too old: before 0.5.1 it can corrupt the disk, and before 0.6.0 it puts its network socket in the home directory',
        hint: 'Install 0.6.0 or newer: brew install vfkit',
      };
}

/** A socket's path has a limit, and vfkit makes its card's own beside the network's. */
function tooLong(layout: Layout): Problem | undefined {
  const sockets = [layout.gramSocket, layout.vfkitRest, layout.vfkitAgent];
  const over = Math.max(
    Buffer.byteLength(dirname(layout.gramSocket)) - maxCardDirectory,
    ...sockets.map((path) => Buffer.byteLength(path) - maxSocketPath),
  );
  return over <= 0
    ? undefined
    : {
        path: 'state directory',
        value: layout.root,
        message: `is ${counted(over, 'byte')} too long for vfkit's sockets`,
        hint: 'Choose a shorter path, with -d or XDG_CACHE_HOME.',
      };
}

/** What it makes of other characters in the agent's path is another path (net/url), and it goes on without an agent. */
function oddPath({ root }: Layout): Problem | undefined {
  const odd = /[^A-Za-z0-9/._~@:=+-]/u.exec(root)?.[0];
  return odd === undefined
    ? undefined
    : {
        path: 'state directory',
        value: root,
        message: `contains ${JSON.stringify(odd)}, which vfkit encodes differently in the path of a socket`,
        hint: 'Choose a path of ASCII letters, digits and . _ ~ @ : = + - with -d.',
      };
}

function wrongKernel(kernel: string): Problem | undefined {
  const message = kernelProblem(kernel);
  return message === undefined
    ? undefined
    : {
        path: 'bundle',
        value: kernel,
        message,
        hint: advice`Build it: ${ours('image build')}`,
      };
}

/** The version, where it is one that is known to be too old. */
function oldVersion(abilities: Abilities | undefined): string | undefined {
  const { version } = abilities ?? {};
  if (version === undefined) return undefined;
  const numbers = version.split('.').map(Number);
  const difference = firstVersion
    .map((number, n) => (numbers[n] ?? 0) - number)
    .find((each) => each !== 0);
  return difference !== undefined && difference < 0 ? version : undefined;
}

/** An arm64 Image has its magic at 0x38 (Documentation/arch/arm64/booting.rst); the framework hangs at anything else without a word. */
function kernelProblem(path: string): string | undefined {
  const magic = Buffer.alloc(4);
  try {
    const fd = openSync(path, 'r');
    try {
      readSync(fd, magic, 0, 4, 0x38);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    return `cannot be read (${refusal(error)})`;
  }
  return magic.toString('latin1') === 'ARMd' ? undefined : 'is not an uncompressed arm64 kernel';
}
