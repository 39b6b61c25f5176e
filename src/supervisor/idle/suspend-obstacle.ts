/** Why a guest that nobody needs is stopped, where it could go as a file. */
import { changesBetween, describeChange, waitsForStart } from '../../config/config-changes.ts';
import type { Config } from '../../config/config.ts';
import type { Layout } from '../../config/layout.ts';
import { suspends } from '../../domain/vm-programs.ts';
import type { Clock } from '../../system/time/clock.ts';
import { residentNow } from '../../system/host/host-memory.ts';
import { hasRoom } from '../disk/disk-room.ts';
import type { Scope } from '../scope.ts';
import type { PlannedGuest } from './comeback.ts';
import { trialOf } from '../suspend/suspend-trial.ts';

const [MiB, GiB] = [1024 ** 2, 1024 ** 3];
/** A guest that has gone on for so long, or so often, boots anew: what it has gathered goes. */
const oldest = { ms: 7 * 24 * 3_600_000, resumes: 200 };

/** What can be in the way, in words: it was stopped instead of suspended, because ... */
export const obstacles = {
  noGuest: 'there is no guest',
  notReady: 'it was not ready',
  cancelled: 'an earlier suspend was being cancelled',
  settings: 'the settings say so',
  program: 'its VM program cannot suspend it',
  failures: 'suspending has failed twice in a row',
  health: 'it is not healthy',
  complaints: 'it has reported a problem',
  age: 'it has been running for more than a week',
  resumes: 'it has been resumed too often',
  changes: 'settings have changed that need a restart',
  keys: 'its keys have changed since it booted',
  names: 'its name servers have changed since it booted',
  space: "there is not enough space on the host's disk",
} as const;

/** One of them. */
export interface SuspendObstacle {
  readonly kind: keyof typeof obstacles;
  readonly why: string;
  /** Not in the way of this guest alone: none is suspended with these settings and this program. */
  readonly isOfAll?: true;
}

/** In the way of this guest. */
export const obstacle = (kind: SuspendObstacle['kind'], what?: string): SuspendObstacle => ({
  kind,
  why: what === undefined ? obstacles[kind] : `${obstacles[kind]} (${what})`,
});

const ofAll = (kind: SuspendObstacle['kind']): SuspendObstacle => ({
  ...obstacle(kind),
  isOfAll: true,
});

/** Undefined where nothing is in the way. `config`: as it is now, which may be another than the guest's. */
export function obstacleTo(
  scope: Scope | undefined,
  config: Config | undefined,
  { layout, clock }: { readonly layout: Layout; readonly clock: Clock },
): SuspendObstacle | undefined {
  if (scope === undefined || config === undefined) return ofAll('noGuest');
  const { guest } = scope.running;
  if (config.idle.how === 'stop') return ofAll('settings');
  const cannot = inProgram(scope);
  if (cannot !== undefined) return cannot;
  if (guest?.wasReady !== true) return obstacle('notReady');
  const trial = trialOf(layout, guest.keeping.basis, clock.now());
  if (typeof trial === 'object') return obstacle('failures');
  const isOther = inGuest(scope, guest, clock.now()) ?? sinceBoot(scope, guest, config);
  if (isOther !== undefined) return isOther;
  return hasRoom(layout.state, memoryOf(scope) + GiB) ? undefined : obstacle('space');
}

/** Its VM program puts no guest into a file, or not in this way, or is not there yet. */
function inProgram({ running: { vm, tried } }: Scope): SuspendObstacle | undefined {
  const { driver, used } = tried;
  if (driver.row.suspends.length === 0) return ofAll('program');
  if (vm?.machine === undefined || used === undefined) return obstacle('notReady');
  const isAble = suspends(driver.row, used.accelerator, process.arch);
  return isAble && vm.machine.memory !== undefined ? undefined : ofAll('program');
}

function inGuest(
  { facts }: Scope,
  { keeping: { bootedAt, resumes } }: PlannedGuest,
  now: number,
): SuspendObstacle | undefined {
  const { health = 'well', complaints = [] } = facts.all;
  if (health !== 'well') return obstacle('health');
  if (complaints.length > 0) return obstacle('complaints');
  if (now - Date.parse(bootedAt) > oldest.ms) return obstacle('age');
  return resumes >= oldest.resumes ? obstacle('resumes') : undefined;
}

/** A key that is taken back meanwhile would let in again, and the name servers be those of a network that is left. */
function sinceBoot(
  { config: before }: Scope,
  { keeping, keys, names }: PlannedGuest,
  config: Config,
): SuspendObstacle | undefined {
  const changes = changesBetween(before, config).filter(waitsForStart);
  if (changes.length > 0) return obstacle('changes', changes.map(describeChange).join('; '));
  if (keys !== keeping.keys) return obstacle('keys');
  return names.areOthers ? obstacle('names') : undefined;
}

/** How long its file may be, in bytes: what it has in memory; where that is not known, all that it may have. */
export const memoryOf = (scope: Pick<Scope, 'running' | 'config'>): number =>
  residentIn(scope) ?? scope.config.memoryMiB * MiB;

/** What its VM process has resident, in bytes; undefined where there is none, or that is not known. */
export function residentIn(scope: Pick<Scope, 'running'> | undefined): number | undefined {
  const vm = scope?.running.vm;
  return vm && residentNow(vm.child.pid);
}
