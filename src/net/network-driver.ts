/** The contract of a program that gives the guest its network, beside the program that runs the guest. */
import type { Network } from '../domain/guest-network.ts';
import type { Layout } from '../config/layout.ts';
import type { Link, NetworkName } from '../domain/vm-programs.ts';
import type { Launch } from '../system/process/child.ts';
import type { Clock } from '../system/time/clock.ts';

interface NetworkInput {
  readonly layout: Layout;
  /** How the VM program is attached to it: one of the network's own. */
  readonly link: Link;
  /** Who the guest's card is to VPNKit: the same at each start, so that the address stays. */
  readonly uuid: string;
}

/** Whom to wait for, and until when. */
export interface ReadyOptions extends NetworkInput {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** One program: what it needs, how it is launched, and when it serves. */
export interface NetworkDriver {
  readonly name: Exclude<NetworkName, 'user'>;
  /** What the guest and its VM program are told. Pure. */
  readonly network: (input: NetworkInput) => Network;
  /** The launch for one start, with the program's absolute path. Pure. */
  readonly plan: (input: NetworkInput & { readonly program: string }) => Launch;
  /** Files that an earlier process may have left where the new one wants to listen. */
  readonly stale: (layout: Layout) => readonly string[];
  /** Resolves when it serves a guest like ours; rejects with the reason why it will not. */
  readonly ready: (options: ReadyOptions) => Promise<void>;
  /** How long it is worth waiting after SIGTERM. */
  readonly graceMs: number;
}
