/** Why a guest that nobody needs is stopped, where it could go as a file. */
import { changesBetween, waitsForStart } from '../../config/config-changes.ts';
import type { Config } from '../../config/config.ts';
import type { Layout } from '../../config/layout.ts';
import { suspends } from '../../domain/vm-programs.ts';
import type { Clock } from '../../system/time/clock.ts';
import { residentNow } from '../../system/host/host-memory.ts';
import { hasRoom } from '../disk/disk-room.ts';
import type { Scope } from '../scope.ts';
import { trialOf } from './suspend-trial.ts';

const [MiB, GiB] = [1024 ** 2, 1024 ** 3];
/** A guest that has gone on for so long, or so often, boots anew: what it has gathered goes. */
const oldest = { ms: 7 * 24 * 3_600_000, resumes: 200 };

/** For a log; undefined where nothing is in the way. `config`: as it is now, which may be another than the guest's. */
export function obstacleTo(
  scope: Scope | undefined,
  config: Config | undefined,
  { layout, clock }: { readonly layout: Layout; readonly clock: Clock },
): string | undefined {
  if (scope === undefined || config === undefined) return 'there is no guest';
  const { tried, vm, guest } = scope.running;
  const { driver, used } = tried;
  if (config.idle.how === 'stop') return 'as the configuration says';
  if (vm?.machine?.memory === undefined || guest === undefined || used === undefined)
    return 'its program does not do it';
  const { keeping, keys, names } = guest;
  if (!suspends(driver.row, used.accelerator, process.arch)) return 'its program does not do it';
  const trial = trialOf(layout, keeping.basis, clock.now());
  if (typeof trial === 'object') return trial.why;
  const { health = 'well', complaints = [] } = scope.facts.all;
  if (health !== 'well' || complaints.length > 0) return 'it is not well';
  if (clock.now() - Date.parse(keeping.bootedAt) > oldest.ms) return 'it has run for long';
  if (keeping.resumes >= oldest.resumes) return 'it was resumed often';
  if (changesBetween(scope.config, config).some(waitsForStart))
    return 'the next guest has other settings';
  // A key that is taken back meanwhile would let in again, and the name servers be those of a network that is left.
  if (keys !== keeping.keys) return 'it was told of other keys than it booted with';
  if (names.areOthers) return 'it was told of other name servers than it booted with';
  return hasRoom(layout.state, memoryOf(scope) + GiB)
    ? undefined
    : "the host's disk has no room for it";
}

/** How long its file may be, in bytes: what it has in memory; where that is not known, all that it may have. */
export const memoryOf = (scope: Pick<Scope, 'running' | 'config'>): number =>
  residentIn(scope) ?? scope.config.memoryMiB * MiB;

/** What its VM process has resident, in bytes; undefined where there is none, or that is not known. */
export function residentIn(scope: Pick<Scope, 'running'> | undefined): number | undefined {
  const vm = scope?.running.vm;
  return vm && residentNow(vm.child.pid);
}
