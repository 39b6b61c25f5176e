/** What a start that was lost before it was ready teaches: its image, or the program that ran it, may be to blame. */
import type { Config } from '../config/config.ts';
import type { Layout } from '../config/layout.ts';
import type { Clock } from '../system/clock.ts';
import { chooseVm, learnVm } from '../vm/choose-vm.ts';
import type { BootWatch } from './boot-watch.ts';
import type { Running } from './children.ts';
import type { VmDriver } from '../vm/driver.ts';
import { judge } from './images.ts';
import { traitsOf } from './phases.ts';
import type { Scope } from './scope.ts';
import type { Event, State } from './state.ts';

/** Which program runs the guest of this start; what is said of it is noted. */
export function chooseDriver(
  scope: Pick<Scope, 'running' | 'note'>,
  config: Config,
  layout: Layout,
): VmDriver {
  const { driver, why, rejected } = chooseVm({ config, layout });
  scope.running.driver = driver;
  scope.note({ vmChoice: { vm: driver.name, why }, ...(rejected.length > 0 ? { rejected } : {}) });
  return driver;
}

/** The start, as far as it has come. */
interface Begun {
  readonly running: Running;
  readonly config: Config | undefined;
  readonly watch: Pick<BootWatch, 'has'>;
}

/** An event as it is to be taken. */
export function takeLesson(
  event: Event,
  state: State,
  scope: Begun | undefined,
  { layout, clock }: { readonly layout: Layout; readonly clock: Clock },
): Event {
  const { phase } = state;
  const { driver, image } = scope?.running ?? {};
  if (event.type === 'lost' && driver !== undefined && scope?.config !== undefined)
    if (traitsOf(phase).guest === 'comes') {
      const attempt = 'attempt' in state ? state.attempt : 1;
      const isMute = !scope.watch.has('init');
      const lost = { layout, clock, driver, config: scope.config, attempt, isMute };
      const failure = learnVm(event.failure, lost);
      if (failure !== event.failure) return { ...event, failure };
    }
  return judge({ event, phase, image }, { layout, clock });
}
