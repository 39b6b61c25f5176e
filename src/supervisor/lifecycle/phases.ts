/** What each phase means to whoever looks at it: a new one does not compile until each question has its answer. */
import type { Phase } from './state.ts';

/** The questions that are asked of a phase. */
export interface PhaseTraits {
  /** Whether VM and network are there: they come, are there for whoever needs them, go, or are not. */
  readonly guest: 'comes' | 'there' | 'goes' | 'none';
  /**
   * What becomes of a build that comes: it goes through, waits until the guest is ready, brings the guest back, waits for what somebody
   * has to mend, is sent off since the daemon has given up, or finds no door, since the daemon ends.
   */
  readonly builds: 'now' | 'soon' | 'on-demand' | 'held-up' | 'never' | 'ended';
  /** That a guest is lost says something of its image, and of the program that runs it. */
  readonly lossTeaches: boolean;
  /** A change of config.json is reason enough for another try. */
  readonly heedsConfig: boolean;
}

const traits: { readonly [P in Phase]: PhaseTraits } = {
  stopped: { guest: 'none', builds: 'ended', lossTeaches: false, heedsConfig: false },
  starting: { guest: 'comes', builds: 'soon', lossTeaches: true, heedsConfig: false },
  booting: { guest: 'comes', builds: 'soon', lossTeaches: true, heedsConfig: false },
  ready: { guest: 'there', builds: 'now', lossTeaches: false, heedsConfig: false },
  paused: { guest: 'there', builds: 'held-up', lossTeaches: false, heedsConfig: false },
  suspending: { guest: 'goes', builds: 'soon', lossTeaches: false, heedsConfig: false },
  resuming: { guest: 'comes', builds: 'soon', lossTeaches: false, heedsConfig: false },
  stopping: { guest: 'goes', builds: 'soon', lossTeaches: false, heedsConfig: true },
  away: { guest: 'none', builds: 'on-demand', lossTeaches: false, heedsConfig: false },
  'backing-off': { guest: 'none', builds: 'soon', lossTeaches: false, heedsConfig: false },
  failed: { guest: 'none', builds: 'never', lossTeaches: false, heedsConfig: true },
};

/** Every phase there is. One cast: `keys` does not know that an object has no others. */
export const phaseNames = Object.keys(traits) as readonly Phase[];

/** Of a phase that another release wrote nothing is known but that its daemon lives. */
const unknown: PhaseTraits = {
  guest: 'comes',
  builds: 'soon',
  lossTeaches: false,
  heedsConfig: false,
};

/** Also of a phase that another release's daemon tells, of which nothing is known. */
export const traitsOf = (phase: Phase): PhaseTraits =>
  (traits as { readonly [name: string]: PhaseTraits | undefined })[phase] ?? unknown;
