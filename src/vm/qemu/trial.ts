/**
 * The trial of an accelerator: the guest's own kernel, with the memory and the processors of the real start, up to the first line of
 * userspace. First bytes prove nothing: there are KVMs that run the kernel's real-mode setup and nothing after it.
 */
import { refusal } from '../../system/files/reasons.ts';
import { childLockHeld, isLocked } from '../../system/lock/lock.ts';
import { launch, type Child, type ExitStatus } from '../../system/process/child.ts';
import { neverRan } from '../../system/process/never-ran.ts';
import { lockHeld } from '../../system/lock/flock.ts';
import type { Clock } from '../../system/time/clock.ts';
import { Failed, failureOf } from '../../system/failure.ts';
import { discard, readIfThere, writeWhole } from '../../system/files/files.ts';
import { until } from '../../system/time/wait.ts';
import type { Accelerator, PlanInput } from '../vm-driver.ts';
import type { Obstacle } from '../kvm-device.ts';
import { qemuFault } from './qemu-exit.ts';
import { trialPlan } from './qemu-argv.ts';
import { connectQmp, type Qmp } from './qmp.ts';
import { RunStateWatch } from './run-state-watch.ts';
import { trialInitrd, trialLine } from './trial-init.ts';
import { statsIfThere } from '../../system/stats.ts';

type TrialInput = Pick<PlanInput, 'config' | 'program' | 'bundle' | 'layout' | 'abilities'> & {
  readonly accelerator: Accelerator;
};

/** Slow is not broken: a guest that says something new now and then is given all of `mostMs`. */
const everyMs = 50;
const silentMs = 5_000;
const mostMs = 60_000;

/**
 * Undefined when it works, else why it does not. Failed `child-lock-held` beside another trial, and with what a real start would fail
 * for as well, such as a kernel that cannot be read: that says nothing of the accelerator.
 */
export async function tryAccelerator(
  input: TrialInput,
  clock: Clock,
  signal: AbortSignal,
): Promise<Obstacle | undefined> {
  const { trialConsole, trialOutput, trialInitrd: initrd, trialQmp, trialLock } = input.layout;
  // Its files are another trial's: no verdict comes of that.
  if (isLocked(trialLock)) throw new Failed(childLockHeld(trialLock));
  const files = [trialConsole, trialOutput, initrd, trialQmp];
  const removeFiles = () => files.forEach(discard);
  removeFiles();
  try {
    writeWhole(initrd, trialInitrd(input.config.system), { durable: false });
    const child = await launch(trialPlan(input), { output: trialOutput, lock: trialLock }, clock);
    if ('kind' in child) return { why: notStarted(child.reason) };
    return await watchTrial(child, input, clock, signal);
  } finally {
    removeFiles();
  }
}

async function watchTrial(
  child: Child,
  input: TrialInput,
  clock: Clock,
  signal: AbortSignal,
): Promise<Obstacle | undefined> {
  const { trialConsole, trialOutput } = input.layout;
  const over = new AbortController();
  const trial = new Trial();
  const asked = trial.ask(input, clock, AbortSignal.any([signal, over.signal]));
  try {
    const isDecided = () => trial.look(trialConsole);
    const limits = { everyMs, timeoutMs: mostMs, orEnded: child.ended };
    const outcome = await until(isDecided, { clock, signal, ...limits });
    if (trial.isUp) return undefined;
    const said = readIfThere(trialOutput)?.trim().split('\n') ?? [];
    return outcome === 'ended'
      ? whyEnded(await child.ended, said, trial.lastLine, input)
      : { why: trial.whyNot(said) };
  } finally {
    over.abort();
    child.signal('SIGKILL');
    await child.ended;
    await asked;
  }
}

/** What is known of a trial's guest. */
class Trial {
  #text = '';
  #quietLooks = 0;
  #qmp: Qmp | undefined;
  #lost: string | undefined;

  /** What its guest said last. */
  get lastLine(): string {
    return this.#text.trim().split('\n').at(-1)?.trim() ?? '';
  }

  get isUp(): boolean {
    return this.#text.includes(trialLine);
  }

  /** Follows the state of the VM, which may be lost although its program lives on. */
  async ask({ layout }: TrialInput, clock: Clock, signal: AbortSignal): Promise<void> {
    const onLost = ({ message }: { readonly message: string }) => (this.#lost = message);
    const state = new RunStateWatch({ onLost, isDiskFull: () => false });
    const onEvent = () => void state.look();
    try {
      this.#qmp = await connectQmp({ path: layout.trialQmp, clock, signal, onEvent });
      signal.addEventListener('abort', () => this.#qmp?.close(), { once: true });
      await state.follow(this.#qmp);
    } catch (error) {
      // It ended, or does not answer: what it writes to its console is looked at all the same.
      failureOf(error);
    }
  }

  /** True when nothing more is waited for. Looks are counted, not time: where this process is slow, so is the guest. */
  look(path: string): boolean {
    const size = statsIfThere(path)?.size ?? 0;
    const before = this.#text.length;
    if (size > before) this.#text = readIfThere(path) ?? '';
    // The program is still being loaded: that is not the guest's silence.
    const begun = this.#qmp !== undefined || size > 0;
    this.#quietLooks = this.#text.length > before || !begun ? 0 : this.#quietLooks + 1;
    return this.isUp || this.#lost !== undefined || this.#isSilent;
  }

  get #isSilent(): boolean {
    return this.#quietLooks * everyMs >= silentMs;
  }

  /** It lives, and has not got there. */
  whyNot(said: readonly string[]): string {
    const [first] = said;
    if (this.#lost !== undefined)
      return first === undefined || first === '' ? this.#lost : `${this.#lost} QEMU said: ${first}`;
    return this.#isSilent ? fellSilent(this.lastLine) : tooSlow;
  }
}

/** `reason`: the system's code. */
export const notStarted = (reason: string): string => `cannot start it (${refusal(reason)})`;

export const tooSlow = `the guest did not reach its first program within ${mostMs / 1000} s`;

/** last: what its guest said last. */
export const fellSilent = (last: string): string =>
  last === ''
    ? `the guest printed nothing for ${silentMs / 1000} s`
    : `the guest printed nothing more for ${silentMs / 1000} s while booting, after: ${last}`;

/** From all that may tell: its exit, its words, the last line of the kernel. */
export function whyEnded(
  ended: ExitStatus,
  said: readonly string[],
  line: string,
  { layout, accelerator }: TrialInput,
): Obstacle {
  if (ended.kind === 'exited' && ended.code === lockHeld)
    throw new Failed(childLockHeld(layout.trialLock));
  const never = neverRan(ended, said, layout.trialLock);
  if (never !== undefined) throw new Failed(never);
  const fault = qemuFault({ ended, output: said, console: [], accelerator });
  if (fault?.obstacle !== undefined) return fault.obstacle;
  if (fault?.isOfAnyStart === true) throw new Failed(fault.failure);
  // With `panic=-1` and -no-reboot.
  if (ended.kind === 'exited' && ended.code === 0)
    return { why: `the guest's kernel panicked while booting, after: ${line}` };
  const reason = said.at(-1) ?? '';
  return { why: `QEMU exited at once${reason === '' ? '' : `: ${reason}`}` };
}
