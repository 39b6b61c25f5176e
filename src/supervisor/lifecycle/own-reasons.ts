/** Reasons for what the daemon does by itself, as fragments of sentences: for its log and, of a start, for `status`. */

/** Why a guest is started, or started again. */
export const startReasons = {
  asked: 'as requested',
  client: 'a client is waiting',
  settings: 'the configuration changed',
  noSpace: "the host's disk is nearly full",
  noDoor: 'the front door could not be opened',
  trial: 'the first suspend on this machine is tested by resuming at once',
} as const;

/** Why the front door lets nobody in, or lets clients in again. */
export const doorReasons = {
  away: 'the guest is away',
  starting: 'the guest is starting',
  paused: 'the guest is paused',
  suspending: 'the guest is being suspended',
  draining: 'draining',
  undrained: 'no longer draining',
  refusing: 'the builder is drained',
  collecting: "the guest's store is being collected",
} as const;
