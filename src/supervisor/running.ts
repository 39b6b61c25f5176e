/** What a start has acquired: the only record of what has to be ended with it. */
import type { Socket } from 'node:net';
import type { Unfit } from '../net/networks.ts';
import type { Text } from '../system/advice.ts';
import type { Child } from '../system/process/child.ts';
import type { PidFiles } from '../system/files/pidfile.ts';
import type { Used } from '../vm/accelerator.ts';
import type { VmControl, VmDriver } from '../vm/vm-driver.ts';
import type { MemoryWatch } from './health/memory-watch.ts';
import type { PlannedGuest } from './idle/comeback.ts';
import type { SavedGuest, Unresumed } from './idle/saved-guest.ts';
import type { ChildOutput } from './children/child-output.ts';
import type { ChosenImage } from './start/image-choice.ts';

/** What a start has acquired so far: each as a whole, from the moment it is there. */
export interface Running {
  readonly tried: Tried;
  /** What it found of a guest that is away as a file; the record of that is gone. */
  saved?: SavedGuest;
  /** That, where it does not go on. */
  unresumed?: Unresumed;
  guest?: PlannedGuest;
  network?: RunningNetwork;
  vm?: RunningVm;
  /** A connection to a resumed guest that its sshd has greeted. */
  greeted?: Socket;
}

/** The ways that a start takes, as far as it has come: one of them may be to blame for its loss. */
export interface Tried {
  readonly driver: VmDriver;
  /** What it boots. */
  image?: ChosenImage;
  /** Which way it runs the guest's code in, where there are several. */
  used?: Used;
  /** The network program that did not serve, by its own doing. */
  unfit?: Unfit;
}

/** A moment's work, every 5 s: reads what the children wrote. `namesToo`: sees that what others find them by is there. */
export function tickChildren({ network, vm }: Running, namesToo: boolean): void {
  vm?.memory.tick();
  for (const child of [vm, network]) {
    child?.output.poke();
    if (namesToo) child?.keep();
  }
}

/** The VM process of a start. */
export interface RunningVm {
  readonly child: Child;
  /** Follows what the program says into our log. */
  readonly output: ChildOutput;
  /** Looks for what kills without a word. */
  readonly memory: MemoryWatch;
  /** Gives its record and sockets their names again. */
  readonly keep: () => void;
  /** Its control channel, once that answers. */
  machine?: VmControl;
}

/** The network process of a start. */
export interface RunningNetwork {
  readonly child: Child;
  readonly name: string;
  /** A sentence for each better one that does not serve here. */
  readonly rejected: readonly Text[];
  readonly pid: PidFiles;
  readonly output: ChildOutput;
  /** How long it is worth waiting after SIGTERM. */
  readonly graceMs: number;
  /** Files that it makes and may leave. */
  readonly stale: readonly string[];
  /** Gives its record and sockets their names again. */
  readonly keep: () => void;
}
