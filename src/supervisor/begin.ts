/** What a start is made with: the program that is chosen for it, and whom it tells what it does. */
import type { Config } from '../config/config.ts';
import type { Layout } from '../config/layout.ts';
import type { Verdicts } from '../system/verdicts.ts';
import { chooseVm, type VmChoice } from '../vm/choose-vm.ts';
import type { Scope } from './scope.ts';

/** Which program runs the guest of this start is noted, with what is said of it. */
export function beginWith(
  scope: Pick<Scope, 'running' | 'note'>,
  config: Config,
  layout: Layout,
  verdicts: Verdicts,
) {
  const choice = chooseVm({ config, layout, known: verdicts.all() });
  const { driver, rejected } = choice;
  scope.running.driver = driver;
  scope.note({ ...choiceFacts(choice), ...(rejected.length > 0 ? { rejected } : {}) });
  return { config, driver, verdicts };
}

const choiceFacts = ({ driver, why }: VmChoice) => ({ vmChoice: { vm: driver.name, why } });

/** Whom a start tells. */
export function listeners(scope: Scope) {
  const { onLine, onStep, onImage, onAccelerator, onLost, onResumes, onUnfit } = scope;
  const { onPaused, onResumed, awaitRoom } = scope.standstill;
  const onChosen = (choice: VmChoice) => scope.note(choiceFacts(choice));
  const onNetworkTrouble = (networkTrouble: string) => scope.note({ networkTrouble });
  const ofGuest = { onLine, onPaused, onResumed, onResumes, onUnfit, onNetworkTrouble };
  return { ...ofGuest, onStep, onImage, onAccelerator, onLost, onChosen, awaitRoom };
}
