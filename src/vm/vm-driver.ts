/** The contract of a program that runs the guest. Differences between programs are data, or one of these functions. */
import type { Config } from '../config/config.ts';
import type { Network } from '../domain/guest-network.ts';
import type { Layout } from '../config/layout.ts';
import type { Problem } from '../domain/problem.ts';
import type { Tunnel } from '../domain/tunnel.ts';
import type { Accelerator, VmProgram } from '../domain/vm-programs.ts';
import type { ExitStatus, Launch } from '../system/process/child.ts';
import type { Clock } from '../system/time/clock.ts';
import { advice, ours } from '../system/advice.ts';
import type { Failure } from '../system/failure.ts';
import type { BootImage, BootParts } from './boot-image.ts';
import type { StillState } from './run-states.ts';

export type { Accelerator } from '../domain/vm-programs.ts';

/** What a VM program may have, depending on how it was built. */
export interface Abilities {
  /** It can have the kernel refuse it system calls that it does not need (seccomp; Linux only). */
  readonly sandbox: boolean;
  /** Its own network can forward a Unix socket to the guest, in place of a port that every user of the host can reach. */
  readonly forwardsUnix: boolean;
  /** Memory that its guest has freed goes back to this host while the guest runs. Absent: it does not, or it was not asked. */
  readonly reportsFreePages?: boolean;
  /** The machine to take in the place of the one that every build for PCs used to have. */
  readonly machine?: 'q35';
  /** The first number of its version; absent where it does not say. */
  readonly major?: number;
  /** Its whole version, `0.6.4`; absent where it was not asked, or says none. */
  readonly version?: string;
}

/** All that a command line is made from. */
export interface PlanInput {
  readonly config: Config;
  readonly layout: Layout;
  readonly bundle: BootImage;
  /** What of the bundle lies in the layout as a part; none where absent. */
  readonly parts?: BootParts;
  /** The bundle's own kernel command line. */
  readonly cmdline: string;
  /** Absolute path of the VM program. */
  readonly program: string;
  readonly accelerator: Accelerator;
  readonly network: Network;
  /** Absent where the program was not asked. */
  readonly abilities?: Abilities | undefined;
  /** Who this machine is to its guest and its network: the same at each start. */
  readonly uuid: string;
}

/** What may speak against a program, before there is an image for it too. */
export interface ProblemsInput extends Pick<PlanInput, 'layout' | 'abilities'> {
  readonly config: Pick<Config, 'system'>;
  readonly bundle?: BootImage;
}

/** A running VM seen through its program's own control channel. */
export interface VmControl {
  readonly tunnel: Tunnel;
  /** Presses the power button: asks the guest to shut down in order. */
  powerOff(): Promise<void>;
  /** Ends the guest at once, as if the power were cut; also where its program cannot be ended by signals that it understands. */
  hardStop?(): Promise<void>;
  /** Asks for the state that the program is in, where it has such: what that means is told as if the program had said it. */
  look?(): Promise<void>;
  /** What the program itself said about its end so far: `guest-shutdown`, `guest-reset`, `host-signal`... */
  reason(): string | undefined;
  /** Lets a paused VM go on. */
  resume(): Promise<void>;
  /** How its guest is put into a file, where its program can do that. */
  readonly memory?: VmMemory;
  /** A number that grows with the operations of the disk; of its writes only, where the program counts nothing. */
  diskOperations(): Promise<number>;
  /** What the program says of itself, for an incident report. */
  describe(): Promise<Readonly<Record<string, unknown>>>;
  close(): void;
}

/** How long a guest may take to its file. */
export interface SaveOptions {
  readonly signal: AbortSignal;
  /** Longest that it may take. */
  readonly timeoutMs: number;
}

/** A guest as a file: all that it has in its memory, and the state of each device. What is on its disk is not in it. */
export interface VmMemory {
  /** Halts the guest and writes it to the file. Rejects where that fails, takes longer, or signal aborts: then the guest goes on, or it is Failed `guest-halted`. */
  save(path: string, options: SaveOptions): Promise<void>;
  /** Has a guest go on whose file nobody wants now. Failed `guest-halted` where it does not. */
  takeBack(): Promise<void>;
  /** Ends the program whose guest was saved. The guest does not go on: it would leave the file behind. */
  leave(): Promise<void>;
  /** Takes a guest from its file into a program that was launched to wait for one; it stands still until it is resumed. */
  load(path: string, signal: AbortSignal): Promise<void>;
}

/** The VM that was launched, and what to hear of it. */
export interface AttachOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly network: Network;
  /** It was launched just now: what it makes at its start is waited for. */
  readonly isNew?: boolean;
  /** Sends the VM process a signal. */
  readonly signalVm: (name: NodeJS.Signals) => void;
  readonly onPaused?: (why: Pause) => void;
  readonly onResumed?: () => void;
  /** The program lives on, but its guest will not run again. */
  readonly onLost?: (failure: Failure) => void;
}

/**
 * Why a guest stands still: so that no write is lost for want of room, inodes or what a quota leaves; a state of the VM program's; or nobody
 * knows.
 */
export type Pause = 'disk-full' | 'disk-inodes' | 'disk-quota' | StillState | 'unknown';

/** A VM process that ended although nobody asked it to, with all that can explain it. */
export interface VmEnd {
  readonly ended: ExitStatus;
  /** What the program said last, oldest first. */
  readonly output: readonly string[];
  /** What the guest said last, oldest first. */
  readonly console: readonly string[];
  /** How it ran the guest's code. */
  readonly accelerator?: Accelerator | undefined;
  /** The guest had been ready in this life of the VM. */
  readonly wasReady?: boolean;
}

/** One program, as the rest of us knows it. */
export interface VmDriver {
  /** The row's name: in the configuration, in the status and of its pidfile. */
  readonly name: string;
  /** What others have to know of it. */
  readonly row: VmProgram;
  /** Name of the program for guests of that system, to be found on the PATH. */
  readonly program: (config: Pick<Config, 'system'>) => string;
  /** What the program at this path can do; absent where all are the same. */
  readonly abilities?: (program: string, signal: AbortSignal) => Promise<Abilities>;
  /** What its guest has to do without under that accelerator: half a sentence each; absent where that is nothing. */
  readonly guestLacks?: (
    input: Pick<PlanInput, 'accelerator' | 'abilities'> & Pick<ProblemsInput, 'config'>,
  ) => readonly string[];
  /** What the program would not take or would fail at without saying so. Without a bundle: whatever the image is. */
  readonly problems: (input: ProblemsInput) => Problem[];
  /** The launch for one start: pure. */
  readonly plan: (input: PlanInput) => Launch;
  /** The words that have a launch of {@link plan} wait for a guest from a file; absent where the program cannot do that. */
  readonly awaitsGuest?: readonly string[];
  /** Files that a killed VM leaves behind and that the next one must not find. */
  readonly stale: (layout: Layout) => readonly string[];
  /** Connects to the control channel of a VM that was just launched, or left behind. */
  readonly attach: (options: AttachOptions) => Promise<VmControl>;
  /** Lines of its output that say nothing, and come often. */
  readonly isNoise?: (line: string) => boolean;
  /** What an end means for this program; undefined where its exit says no more than that it ended. */
  readonly explain?: (end: VmEnd) => Failure | undefined;
  /** Whether its last words say that it was built without a network of its own; absent where it has none anyway. */
  readonly lacksNetwork?: (output: readonly string[]) => boolean;
}

/** A program of that title ended with code 0: a guest's `poweroff`, which may have ended its services first, and then has said so. */
export function poweredOff(
  title: string,
  console: readonly string[],
): Omit<Failure, 'exit' | 'lines'> {
  const inOrder = console.some((line) => line.includes('linuxkit-builder: stage=stopped'));
  return {
    kind: 'guest-powered-off',
    message: inOrder
      ? `The guest shut down by itself (${title} exited with code 0).`
      : `The guest powered off without shutting down first (${title} exited with code 0).`,
    hint: advice`See the guest's last lines: ${ours('console')}`,
    blames: 'image',
    deaf: 'dead',
  };
}
