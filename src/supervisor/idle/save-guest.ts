/**
 * A guest goes as a file: it is made quiet, halted, written, and its VM process ended; then file and disk belong together, which
 * saved-guest.ts writes down. Until that process ends all of it can be taken back.
 */
import { guestInUse, guestWanted, noRoomForGuest } from './idle-failures.ts';
import { settingsOfGuest } from '../../config/config-changes.ts';
import type { Layout } from '../../config/layout.ts';
import { freezeGuest, releaseGuest, settleGuest } from '../../guest/agent/freezer.ts';
import { askLoggedIn } from '../../guest/agent/logged-in.ts';
import { Failed, failureOf } from '../../system/failure.ts';
import type { Log } from '../../system/log.ts';
import type { Clock } from '../../system/time/clock.ts';
import { within } from '../../system/time/deadline.ts';
import type { VmMemory } from '../../vm/vm-driver.ts';
import type { DoorControl } from '../daemon/door-control.ts';
import { hasRoom } from '../disk/disk-room.ts';
import type { Saved } from '../lifecycle/state.ts';
import type { RunningVm } from '../running.ts';
import type { Scope } from '../scope.ts';
import type { PlannedGuest } from './comeback.ts';
import { halted } from './not-saved.ts';
import { commitSaved, discardSaved, forgetMemory, leftIn, writeOut } from './saved-guest.ts';
import { memoryOf } from './suspend-obstacle.ts';

/** With less than this in its place the file is what has no room: it was made sure of more before. */
const leastRoom = 64 * 1024 ** 2;
/** Writing takes a second for 100 MB where the disk is slow, and a moment otherwise. */
const saveMs = (bytes: number): number => 10_000 + (bytes / 100e6) * 1_000;
/** QEMU ends within 0.1 s; then it is made to. */
const leaveMs = 2_000;

export interface SavingOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether the state directory is still the one that we have locked: another's file and disk would be taken for this guest's. */
  readonly isOurs: () => boolean;
  readonly doorControl: () => DoorControl;
  /** Has end what we do in the guest. Failed `guest-in-use` where it does not. */
  readonly endWork: () => Promise<void>;
}

/** One guest, saved once. */
interface Saving extends SavingOptions {
  readonly scope: Scope;
  readonly signal: AbortSignal;
}

/** Saves the guest of a start, whose VM process ends then; undefined where its file was not to be kept. Rejects where it goes on, or is Failed {@link halted}. */
export async function saveGuest(
  scope: Scope,
  options: SavingOptions,
  signal: AbortSignal,
): Promise<Saved | undefined> {
  const { vm, guest: planned } = scope.running;
  const memory = vm?.machine?.memory;
  if (vm === undefined || memory === undefined || planned === undefined)
    throw new Failed(guestInUse);
  const { vmPause } = scope.guest;
  const saving = { ...options, scope, signal };
  vmPause.expect(true);
  try {
    await makeQuiet(saving);
    await write(saving, memory);
  } catch (error) {
    vmPause.expect(false);
    throw error;
  }
  await leave(saving, vm);
  noteStep(saving, 'vm-ended');
  await writeOut(saving.layout);
  return commit(saving, planned);
}

/** Nobody is in the guest, and what it still had to write is written. */
async function makeQuiet(saving: Saving): Promise<void> {
  const { scope, signal, endWork, doorControl, isOurs } = saving;
  await endWork();
  const inside = await scope.guest.lookInside(undefined);
  // A stranger at the door, who has not logged in, is nobody in the guest.
  const { loggedIn, entering } = doorControl().counts();
  if (inside === undefined || inside.builds + loggedIn + entering > 0 || !isOurs())
    throw new Failed(guestInUse);
  await settleGuest(scope.guest.agent, signal);
  // Meanwhile a client that was slow may have logged in, of whom the held door hears nothing.
  const question = { known: undefined, signal };
  if (((await askLoggedIn(scope.guest.agent, question)) ?? 0) > 0) throw new Failed(guestInUse);
  noteStep(saving, 'settled');
  signal.throwIfAborted();
}

/** Its memory goes into a file while its file system is frozen. Where it goes on, nobody is let in before it is as it was. */
async function write(saving: Saving, memory: VmMemory): Promise<void> {
  const { scope, signal, layout, clock, doorControl } = saving;
  const { agent } = scope.guest;
  try {
    await freezeGuest(agent);
    noteStep(saving, 'frozen');
    discardSaved(layout);
    noteStep(saving, 'saving');
    const timeoutMs = saveMs(memoryOf(scope));
    await memory.save(layout.unfinishedMemory, { signal, timeoutMs });
    noteStep(saving, 'written');
    if (!signal.aborted && !doorControl().hasWaiting) return;
    await memory.takeBack();
    throw new Failed(guestWanted);
  } catch (thrown) {
    const isHalted = failureOf(thrown).kind === halted;
    const isFull = !isHalted && !hasRoom(layout.state, leastRoom);
    // First, since a guest that goes on may need that room.
    forgetMemory(layout);
    if (!isHalted) await releaseGuest(agent, clock);
    throw isFull ? new Failed(noRoomForGuest, { cause: thrown }) : thrown;
  }
}

/** The point of no return: what comes of this start from here on is no news. */
async function leave({ scope, clock }: Saving, { child, machine }: RunningVm): Promise<void> {
  scope.end();
  void machine?.memory?.leave().catch(() => undefined);
  const late = () => guestInUse;
  await within(() => child.ended, { clock, timeoutMs: leaveMs, late }).catch(() => undefined);
  await child.stop(leaveMs);
}

/** From here on a start resumes it. */
function commit(
  { scope, layout, clock, isOurs }: Saving,
  planned: PlannedGuest,
): Saved | undefined {
  if (!isOurs()) return undefined;
  const at = new Date(clock.now()).toISOString();
  const { nixVersion } = scope.facts.all;
  const { identity, bootedAt, resumes } = planned.keeping;
  const settings = settingsOfGuest(scope.config);
  const version = nixVersion === undefined ? {} : { nixVersion };
  try {
    const facts = { identity, at, bootedAt, resumes, settings, ...version };
    const { bytes } = commitSaved(layout, facts);
    return { bytes, at };
  } catch (error) {
    discardSaved(layout);
    throw error;
  }
}

/** The settings want none any more. Where it cannot be removed the next start says so. */
export function discardUnwanted({
  layout,
  log,
  isOurs,
}: Pick<SavingOptions, 'layout' | 'log' | 'isOurs'>): void {
  if (!isOurs()) return;
  try {
    const left = leftIn(layout);
    discardSaved(layout);
    if (left !== undefined) log('info', 'saved-guest-discarded', { ...left });
  } catch (error) {
    log('warn', 'saved-guest-not-discarded', { failure: failureOf(error) });
  }
}

const noteStep = ({ log }: Saving, name: string): void => log('debug', 'suspend-step', { name });
