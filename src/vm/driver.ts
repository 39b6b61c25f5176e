/** The contract of a program that runs the guest. Differences between programs are data, or one of these functions. */
import type { Config } from '../config/config.ts';
import type { Layout } from '../config/layout.ts';
import type { Tunnel } from '../config/tunnel.ts';
import type { Launch } from '../system/child.ts';
import type { Clock } from '../system/clock.ts';
import type { Bundle } from './bundle.ts';

/** How a VM program can run guest code: in hardware (kvm, hvf) or by translating it (tcg). */
export type Accelerator = 'kvm' | 'hvf' | 'tcg';

/** The guest's place on the network that the driver gives it; goes into the seed. */
export interface GuestNetwork {
  /** CIDR. */
  readonly address: string;
  readonly gateway: string;
  readonly nameservers: readonly string[];
  readonly mac: string;
}

export interface PlanInput {
  readonly config: Config;
  readonly layout: Layout;
  readonly bundle: Bundle;
  /** The bundle's own kernel command line. */
  readonly cmdline: string;
  /** Absolute path of the VM program. */
  readonly program: string;
  readonly accelerator: Accelerator;
}

/** A running VM seen through its program's own control channel. */
export interface Machine {
  readonly tunnel: Tunnel;
  /** Presses the power button: asks the guest to shut down in order. */
  powerOff(): Promise<void>;
  /** What the program itself said about its end so far: `guest-shutdown`, `guest-reset`, `host-signal`... */
  reason(): string | undefined;
  close(): void;
}

export interface AttachOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface VmDriver {
  readonly name: 'qemu';
  readonly network: GuestNetwork;
  /** Name of the VM program for this host, to be found on the PATH. */
  readonly program: (config: Config) => string;
  /** The launch for one start: pure. */
  readonly plan: (input: PlanInput) => Launch;
  /** Connects to the control channel of a VM that was just launched, or left behind. */
  readonly attach: (options: AttachOptions) => Promise<Machine>;
}
