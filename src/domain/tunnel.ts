/** How the guest's sshd is reached from this host: data that the drivers give, and door and probe dial. */
import type { Address } from '../system/socket/dial.ts';

/** Where to connect for the guest's sshd. */
export type Tunnel = Address;
