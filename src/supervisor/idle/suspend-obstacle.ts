/** Why a guest that nobody needs is stopped, where it could go as a file. */
import { changesBetween, waitsForStart } from '../../config/config-changes.ts';
import type { Config } from '../../config/config.ts';
import type { Layout } from '../../config/layout.ts';
import { suspends } from '../../domain/vm-programs.ts';
import type { Clock } from '../../system/time/clock.ts';
import { residentNow } from '../../system/host/host-memory.ts';
import { hasRoom } from '../disk/disk-room.ts';
import type { Scope } from '../scope.ts';
import type { PlannedGuest } from './comeback.ts';
import { trialOf } from './suspend-trial.ts';

const [MiB, GiB] = [1024 ** 2, 1024 ** 3];
/** A guest that has gone on for so long, or so often, boots anew: what it has gathered goes. */
const oldest = { ms: 7 * 24 * 3_600_000, resumes: 200 };

/** In the way, for a log: the guest is stopped since ... */
export const obstacles = {
  noGuest: 'there is no guest',
  settings: 'the settings say so',
  program: 'its VM program cannot suspend it',
  health: 'it is not healthy',
  age: 'it has been running for more than a week',
  resumes: 'it has been resumed too often',
  changes: 'settings have changed that need a restart',
  keys: 'its keys have changed since it booted',
  names: 'its name servers have changed since it booted',
  space: "there is not enough space on the host's disk",
} as const;

/** For a log; undefined where nothing is in the way. `config`: as it is now, which may be another than the guest's. */
export function obstacleTo(
  scope: Scope | undefined,
  config: Config | undefined,
  { layout, clock }: { readonly layout: Layout; readonly clock: Clock },
): string | undefined {
  if (scope === undefined || config === undefined) return obstacles.noGuest;
  const { vm, guest } = scope.running;
  const { driver, used } = scope.running.tried;
  if (config.idle.how === 'stop') return obstacles.settings;
  if (vm?.machine?.memory === undefined || guest === undefined || used === undefined)
    return obstacles.program;
  if (!suspends(driver.row, used.accelerator, process.arch)) return obstacles.program;
  const trial = trialOf(layout, guest.keeping.basis, clock.now());
  if (typeof trial === 'object') return trial.why;
  const { health = 'well', complaints = [] } = scope.facts.all;
  if (health !== 'well' || complaints.length > 0) return obstacles.health;
  const isOld = tooOld(guest.keeping, clock.now());
  if (isOld !== undefined) return isOld;
  if (changesBetween(scope.config, config).some(waitsForStart)) return obstacles.changes;
  const isOther = notAsBooted(guest);
  if (isOther !== undefined) return isOther;
  return hasRoom(layout.state, memoryOf(scope) + GiB) ? undefined : obstacles.space;
}

/** A key that is taken back meanwhile would let in again, and the name servers be those of a network that is left. */
function notAsBooted({ keeping, keys, names }: PlannedGuest): string | undefined {
  if (keys !== keeping.keys) return obstacles.keys;
  return names.areOthers ? obstacles.names : undefined;
}

function tooOld({ bootedAt, resumes }: PlannedGuest['keeping'], now: number): string | undefined {
  if (now - Date.parse(bootedAt) > oldest.ms) return obstacles.age;
  return resumes >= oldest.resumes ? obstacles.resumes : undefined;
}

/** How long its file may be, in bytes: what it has in memory; where that is not known, all that it may have. */
export const memoryOf = (scope: Pick<Scope, 'running' | 'config'>): number =>
  residentIn(scope) ?? scope.config.memoryMiB * MiB;

/** What its VM process has resident, in bytes; undefined where there is none, or that is not known. */
export function residentIn(scope: Pick<Scope, 'running'> | undefined): number | undefined {
  const vm = scope?.running.vm;
  return vm && residentNow(vm.child.pid);
}
