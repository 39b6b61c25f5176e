/** Where a guest stands in its network, and how its VM program is attached to that: data from the network's driver. */
import type { Tunnel } from './tunnel.ts';
import type { NetworkName } from './vm-programs.ts';

/** The guest's place on its network; goes into the seed. */
export interface GuestNetwork {
  /** CIDR. */
  readonly address: string;
  readonly gateway: string;
  readonly nameservers: readonly string[];
  /** Which card; absent where the network program chooses the address and there is one card only. */
  readonly mac?: string;
}

/** How a VM program is attached to a network that another program makes. */
export type Attachment =
  /** VPNKit's Ethernet protocol on a Unix socket; the server gives the card its address by uuid. */
  | {
      readonly kind: 'vpnkit';
      readonly socket: string;
      readonly uuid: string;
      readonly preferredIpv4?: string;
    }
  /** QEMU's own framing on a Unix socket. */
  | { readonly kind: 'stream'; readonly socket: string; readonly mac: string }
  /** One frame a datagram, on a Unix datagram socket. */
  | { readonly kind: 'vfkit'; readonly socket: string; readonly mac: string };

/** A network as its guest and VM see it. */
export interface Network {
  readonly name: NetworkName;
  readonly guest: GuestNetwork;
  /** Undefined for the VM program's own network. */
  readonly attachment?: Attachment;
  /**
   * It reads the host's name servers when it starts, and never again: where the guest reaches the host's 127.0.0.1, to ask others by
   * itself. Undefined where it follows what the host does.
   */
  readonly namesOnce?: { readonly loopback: string };
  /** Where this network leads to the guest's sshd, if it does. */
  readonly tunnel?: Tunnel;
}
