/** The framework's VM, seen from vfkit: its states, and what may be asked in which. */
import { vzError } from './refusal.ts';

export type State =
  'Stopped' | 'Running' | 'Paused' | 'Error' | 'Starting' | 'Pausing' | 'Resuming' | 'Stopping';

/** What REST can ask for. */
export type Wish = 'Stop' | 'HardStop' | 'Pause' | 'Resume';

export const wishes: readonly Wish[] = ['Stop', 'HardStop', 'Pause', 'Resume'];

const from: Readonly<Record<Wish, readonly State[]>> = {
  Stop: ['Running', 'Paused'],
  HardStop: ['Running', 'Paused', 'Starting', 'Stopping'],
  Pause: ['Running'],
  Resume: ['Paused'],
};

export const may = (wish: Wish, state: State, canRequestStop = true): boolean =>
  from[wish].includes(state) && (wish !== 'Stop' || canRequestStop);

/** GET /vm/state, with its keys in Go's order. */
export const stateJson = (state: State, canRequestStop: boolean): string =>
  JSON.stringify({
    canHardStop: may('HardStop', state),
    canPause: may('Pause', state),
    canResume: may('Resume', state),
    canStart: state === 'Stopped' || state === 'Error',
    canStop: may('Stop', state, canRequestStop),
    state: `VirtualMachineState${state}`,
  });

export const notAllowed = (wish: Wish, state: State): string =>
  vzError(
    'invalidTransition',
    `Invalid virtual machine state transition. Transition from state “${state.toLowerCase()}” to what ${wish} asks for is invalid.`,
  );
