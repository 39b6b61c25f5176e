/** What each phase means to whoever looks at it: a new one does not compile until each question has its answer. */
import type { Phase } from './state.ts';

export interface PhaseTraits {
  /** Whether VM and network are there: they come, are there for whoever needs them, go, or are not. */
  readonly guest: 'comes' | 'there' | 'goes' | 'none';
  /**
   * What becomes of a build that comes: it goes through, waits until the guest is ready, brings the guest back, waits for what somebody
   * has to mend, is sent off since the daemon has given up, or finds no door, since the daemon ends.
   */
  readonly builds: 'now' | 'soon' | 'on-demand' | 'held-up' | 'never' | 'ended';
  /** A change of config.json is reason enough for another try. */
  readonly heedsConfig: boolean;
}

const traits: { readonly [P in Phase]: PhaseTraits } = {
  stopped: { guest: 'none', builds: 'ended', heedsConfig: false },
  starting: { guest: 'comes', builds: 'soon', heedsConfig: false },
  booting: { guest: 'comes', builds: 'soon', heedsConfig: false },
  ready: { guest: 'there', builds: 'now', heedsConfig: false },
  paused: { guest: 'there', builds: 'held-up', heedsConfig: false },
  stopping: { guest: 'goes', builds: 'soon', heedsConfig: true },
  away: { guest: 'none', builds: 'on-demand', heedsConfig: false },
  'backing-off': { guest: 'none', builds: 'soon', heedsConfig: false },
  failed: { guest: 'none', builds: 'never', heedsConfig: true },
};

/** Of a phase that another release wrote nothing is known but that its daemon lives. */
const unknown: PhaseTraits = { guest: 'comes', builds: 'soon', heedsConfig: false };

export const traitsOf = (phase: Phase): PhaseTraits =>
  (traits as { readonly [name: string]: PhaseTraits | undefined })[phase] ?? unknown;
