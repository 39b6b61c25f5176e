/** What a start is made with: the settings as they are now, the program that is chosen for its guest, and the way in which that runs it. */
import { tryAgainUpgraded, type Verdicts } from '../../domain/verdicts.ts';
import type { VmProgram } from '../../domain/vm-programs.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { chooseAccelerator } from '../../vm/accelerator.ts';
import { chooseVm } from '../../vm/choose-vm.ts';
import type { Abilities, Accelerator, PlanInput, VmDriver } from '../../vm/vm-driver.ts';
import type { ChildContext } from '../children/launch-followed.ts';
import { noSettings } from '../health/child-failures.ts';
import type { SettingsRead } from '../../config/read-settings.ts';
import { Scope, type ScopeNews, type ScopeOptions } from '../scope.ts';

interface BeginOptions extends Omit<ScopeOptions, 'config' | 'choice'>, SettingsRead {
  /** What is held against what. */
  readonly verdicts: Pick<Verdicts, 'all'>;
}

/** A new start. Throws Failed where there are no settings, or no program that could run the guest. */
export function begin(options: BeginOptions, news: ScopeNews): Scope {
  const { config, layout, verdicts } = options;
  if (config === undefined) throw new Failed(noSettings(layout, options));
  const choice = chooseVm({ config, layout, known: verdicts.all() });
  return new Scope({ ...options, config, choice }, news);
}

interface WayContext extends ChildContext {
  /** What is held against what. */
  readonly verdicts: Verdicts;
}

/** How a program runs the guest. */
interface WayToRun {
  readonly accelerator: Accelerator;
  /** What the program says that it can do; undefined where it is not asked. */
  readonly abilities: Abilities | undefined;
}

/** Asks the program what it can do, and finds the way in which it runs this guest. Rejects with Failed where another program has a better one. */
export async function wayToRun(
  context: WayContext,
  scope: Scope,
  { program, bundle }: Pick<PlanInput, 'program' | 'bundle'>,
): Promise<WayToRun> {
  const { driver } = scope.running.tried;
  const abilities = await driver.abilities?.(program, scope.signal);
  const accelerator = await acceleratorFor(context, scope, { program, bundle, abilities });
  refuseWorse(context, scope, accelerator);
  return { accelerator, abilities };
}

/** Which of several ways works is found by trial; where there is one only, there is nothing to try. */
async function acceleratorFor(
  { layout, clock, log, verdicts }: WayContext,
  { config, running, facts, signal }: Scope,
  what: Pick<PlanInput, 'program' | 'bundle' | 'abilities'>,
): Promise<Accelerator> {
  const { row } = running.tried.driver;
  const [only] = row.accelerators;
  if (only !== undefined && !hasChoice(row)) return only;
  const input = { config, layout, verdicts, ...what };
  const choice = await chooseAccelerator(input, clock, signal);
  const { accelerator, rejected, tried } = choice;
  log(rejected.length > 0 ? 'warn' : 'info', 'accelerator', { ...choice });
  if (tried) facts.see('accelerator-tried');
  facts.note({ accelerator });
  facts.reject(rejected);
  return accelerator;
}

/** Software alone, where another program would run the guest by the processor: that one is taken in its place. What is true by now is said. */
function refuseWorse(
  { layout, verdicts }: WayContext,
  { config, running, facts }: Scope,
  accelerator: string,
): void {
  if (config.vm !== 'auto' || accelerator !== 'tcg') return;
  const { driver } = running.tried;
  const choice = chooseVm({ config, layout, known: verdicts.all() });
  if (choice.driver.name !== driver.name) throw new Failed(insteadOf(driver, choice.driver));
  facts.noteChoice(choice);
}

/** With `auto` alone: a program that was chosen by name is not left. */
export const insteadOf = ({ row }: VmDriver, better: VmDriver): Failure => ({
  kind: 'vm-rejected',
  message: `${row.title} could only emulate the guest here, so this start continues with ${better.row.title}.`,
  hint: tryAgainUpgraded,
  exit: Exit.unavailable,
  recovery: 'other-way',
});

/** Whether it can run a guest in several ways, of which one has to be found. */
export const hasChoice = ({ accelerators }: VmProgram): boolean => accelerators.length > 1;
