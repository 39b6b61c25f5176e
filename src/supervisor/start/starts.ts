/** The start that there is: it is begun, brought to a guest that is ready, and ended. */
import type { Config } from '../../config/config.ts';
import { changesBetween } from '../../config/config-changes.ts';
import type { SettingsRead } from '../../config/read-settings.ts';
import { Verdicts } from '../../domain/verdicts.ts';
import { failureOf, type Failure } from '../../system/failure.ts';
import type { Log } from '../../system/log.ts';
import type { DoorControl } from '../daemon/door-control.ts';
import type { Suspending } from '../idle/suspending.ts';
import { doorReasons } from '../lifecycle/own-reasons.ts';
import type { Event } from '../lifecycle/state.ts';
import type { Scope, ScopeOptions } from '../scope.ts';
import { Ends } from '../stop/end-scope.ts';
import type { GuestKeys } from './builder-keys.ts';
import { begin } from './chosen-vm.ts';
import { keepProgram, noteLaunch, untilReady } from './ready.ts';
import { Staging, type StagingOptions } from './staging.ts';
import { start } from './start.ts';

interface StartsOptions extends StagingOptions {
  readonly log: Log;
  readonly doorControl: DoorControl;
  readonly suspending: Suspending;
  /** Aborts when there is no time for an orderly end. */
  readonly now: AbortSignal;
  readonly dispatch: (event: Event) => void;
  readonly closeDirectories?: () => Promise<void>;
  /** What is known of the start has changed. */
  readonly onChange: () => void;
}

/** One after the other. */
export class Starts {
  readonly #options: StartsOptions;
  readonly #ends: Ends;
  readonly #bootFiles: Staging;
  /** What is held against what. */
  readonly verdicts: Verdicts;
  /** Undefined when there is none. */
  scope: Scope | undefined;
  #begunWith: Config | undefined;

  constructor(options: StartsOptions) {
    this.#options = options;
    this.#ends = new Ends(options);
    this.#bootFiles = new Staging(options);
    this.verdicts = new Verdicts(options.layout.verdicts);
  }

  /** Of the files that a guest boots from: who may log in. */
  get keys(): GuestKeys {
    return this.#bootFiles.keys;
  }

  removeFiles(): void {
    this.#bootFiles.remove();
  }

  /** What comes of it is told as events. */
  begin(settings: SettingsRead & Pick<ScopeOptions, 'begunAt'>, afresh: boolean): void {
    const { dispatch, onChange } = this.#options;
    this.#begunWith = settings.config;
    const lose = (thrown: unknown) => dispatch({ type: 'lost', failure: failureOf(thrown) });
    try {
      const made = { ...this.#options, ...settings, verdicts: this.verdicts };
      const scope = (this.scope = begin(made, { onChange, onEvent: dispatch }));
      scope.launched = this.#run(scope, afresh).catch((thrown: unknown) => {
        if (!scope.signal.aborted) lose(thrown);
      });
    } catch (thrown) {
      // Nothing has begun that could be ended.
      queueMicrotask(() => lose(thrown));
    }
  }

  /** Whether the last one was begun with other settings than these. */
  hadOther({ config }: Pick<SettingsRead, 'config'>): boolean {
    const before = this.#begunWith;
    return before && config ? changesBetween(before, config).length > 0 : false;
  }

  async #run(scope: Scope, afresh: boolean): Promise<void> {
    const { doorControl, suspending, dispatch } = this.#options;
    await doorControl.open(scope.config);
    doorControl.hold(doorReasons.starting);
    const known = { ...this.#ends.known, afresh, verdicts: this.verdicts };
    const vm = await start({ ...this.#options, ...known, bootFiles: this.#bootFiles }, scope);
    noteLaunch(scope, vm);
    dispatch({ type: 'vm-launched' });
    await untilReady(scope, vm, { ...this.#options, keys: this.keys });
    dispatch({ type: 'guest-ready' });
    scope.guest.keepMonitoring(doorControl);
    suspending.noteReady(scope);
    keepProgram(scope, { ...this.#options, known: this.verdicts.all() });
    await scope.keepImage();
  }

  /** Resolves when nothing of it lives. `lostTo`: asked when nothing of it is under way any more. */
  async end(lostTo: () => Failure | undefined): Promise<void> {
    const { scope } = this;
    if (scope !== undefined) {
      scope.end();
      await scope.launched;
      await this.#ends.end(scope, lostTo());
    }
    if (scope?.guest.gotReady !== true) this.removeFiles();
    this.scope = undefined;
  }
}
