/** How many may be at the door: so many that no builder is ever short of places, and so few that a crowd does no harm. */

/** Numbers of connections. */
export interface DoorLimits {
  /** Wait, in all. */
  readonly waiting: number;
  /** Wait for sshd's greeting. */
  readonly handshakes: number;
  /** Are through and have not logged in: each is two processes of the guest. */
  readonly newcomers: number;
  /** Of these, of one user: there is always a place for another one. */
  readonly perUser: number;
  /** Of these, of all users who cannot log in: there is always a place for one who can. */
  readonly others: number;
  /** Of these, without a word of ssh. */
  readonly mute: number;
  /** So long a client that says nothing is not led to the guest. ssh speaks first, at once. */
  readonly muteMs: number;
  /** So few are let in without a look whose they are. */
  readonly few: number;
  /** For those who wait and, two each, for those who are through. */
  readonly descriptors: number;
}

/** The daemon's own: log, locks, sockets, pipes of its children and of a login. */
const reserve = 128;

/** For a process that may have so many files open. */
export function limitsFor(descriptorLimit: number): DoorLimits {
  return {
    waiting: 1024,
    handshakes: 32,
    newcomers: 64,
    perUser: 48,
    others: 48,
    mute: 16,
    muteMs: 250,
    few: 16,
    descriptors: Math.max(descriptorLimit - reserve, descriptorLimit / 4),
  };
}

/** So many may wait beside the others: at least a few, else nobody would ever have a turn. */
export function waitsAtMost(
  { waiting, descriptors }: DoorLimits,
  { opening, open }: { readonly opening: number; readonly open: number },
): number {
  return Math.max(4, Math.min(waiting, Math.floor(descriptors - 2 * (opening + open))));
}
