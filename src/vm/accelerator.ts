/**
 * Chooses how guest code is run, by trial: a device that is there proves nothing (/dev/kvm may open, create a VM and still
 * run no instruction; hvf aborts on some combinations of QEMU, macOS and CPU). A verdict holds for one boot of the host,
 * one version of the program, and as long as /dev/kvm can be opened, or cannot.
 */
import { closeSync, openSync, rmSync } from 'node:fs';
import { nativeSystem } from '../config/system.ts';
import { readIfThere, sizeIfThere, versionOf, writeWhole } from '../system/files.ts';
import { Exit, Failed, type Failure } from '../system/failure.ts';
import { fieldsOf } from '../system/json-lines.ts';
import type { Clock } from '../system/clock.ts';
import { bootId } from '../system/process.ts';
import { launch, lockRefused } from '../system/child.ts';
import { lockHeld } from '../system/flock.ts';
import { childLockHeld, isLocked } from '../system/lock.ts';
import { until } from '../system/wait.ts';
import type { Accelerator, PlanInput } from './driver.ts';
import { trialPlan } from './qemu.ts';

export interface Choice {
  readonly accelerator: Accelerator;
  /** One sentence for each that was tried and does not work. */
  readonly rejected: readonly string[];
  /** False when the verdict was remembered. */
  readonly tried: boolean;
}

/** What is remembered: a choice, and what it holds for. */
type Verdict = Omit<Choice, 'tried'> & { readonly key: string };

interface Input extends Pick<PlanInput, 'config' | 'program' | 'bundle' | 'layout'> {
  /** KVM's device; default /dev/kvm. */
  readonly kvm?: string;
}

/** A working guest prints its first byte well within a second; a wedged one never does. */
const trialMs = 5_000;

/** Best first. tcg needs no trial: it is plain computation. */
export const candidates = (platform: NodeJS.Platform): readonly Accelerator[] =>
  platform === 'darwin' ? ['hvf', 'tcg'] : platform === 'linux' ? ['kvm', 'tcg'] : ['tcg'];

/** The ways that a guest of this config can be run in: the processor helps only with its own code. */
const waysFor = ({ system }: Input['config']): readonly Accelerator[] =>
  system === nativeSystem(process.arch) ? candidates(process.platform) : ['tcg'];

/** The forced accelerator, the remembered one, or the first that shows a sign of life. */
export async function chooseAccelerator(
  input: Input,
  clock: Clock,
  signal: AbortSignal,
): Promise<Choice> {
  const { config, layout, program } = input;
  if (config.accelerator !== 'auto')
    return { accelerator: config.accelerator, rejected: [], tried: false };
  const canOpen = candidates(process.platform).includes('kvm') && opens(input.kvm ?? '/dev/kvm');
  const key = `${bootId()} ${versionOf(program)}${canOpen ? ' kvm' : ''}`;
  const remembered = recall(layout.accelerators, key);
  if (remembered !== undefined) return { ...remembered, tried: false };
  const rejected: string[] = [];
  for (const accelerator of waysFor(config)) {
    const verdict = await tryAccelerator(input, accelerator, clock, signal);
    if (verdict !== undefined) {
      rejected.push(`${accelerator}: ${verdict}`);
      continue;
    }
    const choice = { accelerator, rejected };
    remember(layout, { key, ...choice });
    return { ...choice, tried: true };
  }
  throw new Failed({
    kind: 'no-accelerator',
    message: `${program} runs no guest in any way: ${rejected.join('; ')}.`,
    hint: 'Check that the program works by itself.',
    exit: Exit.unavailable,
  });
}

/** What a start would take, without a trial: as asked for, as the last trial found, else the first that a trial would try. */
export function likelyAccelerator({
  config,
  layout,
}: Pick<Input, 'config' | 'layout'>): Accelerator {
  if (config.accelerator !== 'auto') return config.accelerator;
  const known = recorded(layout.accelerators);
  const isOfThisBoot = known?.key.startsWith(`${bootId()} `) === true;
  const ways = waysFor(config);
  return ways.find((way) => isOfThisBoot && way === known.accelerator) ?? ways[0] ?? 'tcg';
}

/** Undefined when it works, else why it does not. */
async function tryAccelerator(
  input: Input,
  accelerator: Accelerator,
  clock: Clock,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (accelerator === 'tcg') return undefined;
  const { kvm = '/dev/kvm' } = input;
  if (accelerator === 'kvm' && !opens(kvm)) return `${kvm} cannot be opened by this user`;
  const { trialConsole: console, trialOutput: output, trialLock: lock } = input.layout;
  // Its files are another trial's: no verdict comes of that.
  if (isLocked(lock)) throw new Failed(childLockHeld(lock));
  for (const path of [console, output]) rmSync(path, { force: true });
  const child = await launch(trialPlan({ ...input, accelerator }), { output, lock }, clock);
  if ('kind' in child) return `it could not be started (${child.reason})`;
  try {
    const spoke = () => (sizeIfThere(console) ?? 0) > 0;
    const outcome = await until(spoke, {
      clock,
      signal,
      everyMs: 50,
      timeoutMs: trialMs,
      orEnded: child.ended,
    });
    if (outcome === 'held') return undefined;
    if (outcome === 'timed-out') return `the guest gave no sign of life in ${trialMs / 1000} s`;
    const ended = await child.ended;
    if (ended.kind === 'exited' && ended.code === lockHeld) throw new Failed(childLockHeld(lock));
    const said = (readIfThere(output) ?? '').trim().split('\n');
    const noLock = lockRefused(ended, said, lock);
    if (noLock !== undefined) throw new Failed(noLock);
    return `it ended at once: ${said.at(-1) ?? ''}`;
  } finally {
    child.signal('SIGKILL');
    await child.ended;
    for (const path of [console, output]) rmSync(path, { force: true });
  }
}

/**
 * What an end teaches: a way that passed its trial and broke later is not taken again in this boot of the host. A way that was
 * chosen by hand is not changed, and not tried again either.
 */
export function learn(
  failure: Failure,
  { layout, config }: Pick<PlanInput, 'layout' | 'config'>,
): Failure {
  if (failure.kind !== 'accelerator-broken') return failure;
  if (config.accelerator !== 'auto')
    return {
      ...failure,
      kind: 'accelerator-unusable',
      hint: 'Let it be chosen: linuxkit-builder configure --accelerator auto.',
    };
  const known = recorded(layout.accelerators);
  const all = waysFor(config);
  const next = known && all[all.indexOf(known.accelerator) + 1];
  if (known === undefined || next === undefined) return failure;
  const rejected = [...known.rejected, `${known.accelerator}: ${failure.message}`];
  remember(layout, { key: known.key, accelerator: next, rejected });
  return failure;
}

/** A verdict that cannot be kept is found again by the next trial. */
function remember({ accelerators }: PlanInput['layout'], record: Verdict): void {
  try {
    writeWhole(accelerators, `${JSON.stringify(record)}\n`, { durable: false });
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
  }
}

function opens(device: string): boolean {
  try {
    closeSync(openSync(device, 'r+'));
    return true;
  } catch {
    return false;
  }
}

function recall(path: string, key: string): Omit<Choice, 'tried'> | undefined {
  const known = recorded(path);
  if (known?.key !== key) return undefined;
  return { accelerator: known.accelerator, rejected: known.rejected };
}

/** The last verdict; undefined when there is none that can be read. */
function recorded(path: string): Verdict | undefined {
  try {
    const fields = fieldsOf(JSON.parse(readIfThere(path) ?? 'null'));
    const key = fields['key'];
    const accelerator = candidates(process.platform).find((name) => name === fields['accelerator']);
    const rejected = fields['rejected'];
    return typeof key === 'string' && accelerator !== undefined && Array.isArray(rejected)
      ? { key, accelerator, rejected: rejected.map(String) }
      : undefined;
  } catch {
    return undefined;
  }
}
