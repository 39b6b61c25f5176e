/** The settings that the guest has, as far as `status` tells them. A row that is shown and is not here does not compile. */
import * as v from 'valibot';
import { settingSchemas } from '../../config/config.ts';
import type { ShownSetting } from '../../config/settings.ts';
import { idleWays, urgencies } from '../../config/idle.ts';
import { networkNames } from '../../domain/vm-programs.ts';
import { maybe, text, told } from './schema-parts.ts';

const { vm, cpus, memoryMiB, diskGiB, maxJobs, system, door, accelerator } = settingSchemas;
const { holdSeconds, start } = settingSchemas;

/** What became a setting later may be missing in what another release says. */
const fields = {
  vm: told(v.unwrap(vm), 'The program that runs the guest; `auto` until one has been chosen.'),
  network: v.picklist([...networkNames, 'auto']),
  cpus: v.unwrap(cpus),
  memoryMiB: v.unwrap(memoryMiB),
  diskGiB: v.unwrap(diskGiB),
  maxJobs: v.unwrap(maxJobs),
  system: v.unwrap(system),
  extraSystems: maybe(
    told(v.array(v.picklist(['i686-linux'])), 'What it builds besides its system.'),
  ),
  features: v.array(text),
  door: maybe(v.unwrap(door)),
  port: maybe(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65535))),
  accelerator: maybe(v.unwrap(accelerator)),
  bundle: v.optional(text),
  holdSeconds: maybe(v.unwrap(holdSeconds)),
  keepAwake: maybe(v.boolean()),
  start: maybe(
    told(v.unwrap(start), 'Whether the guest starts with the daemon or with the first build.'),
  ),
  idle: maybe(
    told(
      v.object({
        after: v.pipe(text, v.regex(/^[0-9]+ ?(s|min|h)$/)),
        how: v.picklist(idleWays),
        onBattery: maybe(v.picklist(urgencies)),
        onLowMemory: maybe(v.picklist(urgencies)),
      }),
      'What happens to an unused guest, and after how long.',
    ),
  ),
} as const satisfies Readonly<Record<ShownSetting, v.GenericSchema>>;

export const builderSchema = v.object(fields);
