/** Checks of what the guest boots from, and of how its code is run. */
import { imageAgeAt } from '../../image/image-news.ts';
import { chooseImage, newestPrefix } from '../../supervisor/start/image-choice.ts';
import { oldImageAt } from '../../supervisor/start/image-floor.ts';
import { chooseAccelerator } from '../../vm/accelerator.ts';
import { bundleAt, checkBootImage, readManifest } from '../../vm/boot-image.ts';
import type { PlanInput } from '../../vm/vm-driver.ts';
import type { CheckVerdict } from '../check-runner.ts';
import type { DoctorFacts } from '../facts.ts';
import { alwaysHardware, emulation, judgeImage } from '../verdicts/judge-image.ts';

/** Whether the newest image is whole, and what speaks against starting it. */
export function checkImage({ config, layout, context }: DoctorFacts): CheckVerdict {
  const prefix = newestPrefix(config(), layout);
  const bundle = bundleAt(prefix);
  checkBootImage(bundle, { full: true, system: config().system });
  const { images, prefix: booted } = chooseImage(config(), layout);
  const old = oldImageAt(prefix);
  const isAccepted =
    old !== undefined && (config().acceptOldImage === old.version || config().bundle !== undefined);
  return judgeImage(prefix, {
    manifest: readManifest(bundle),
    old: old && { why: old.why, isAccepted },
    rejected: booted === prefix ? undefined : images?.rejected,
    age: imageAgeAt(booted, layout, context.clock.now()),
  });
}

/** What the guest is run by: what the daemon that lives uses, else what a start would take, found by trial. */
export async function checkAccelerator(facts: DoctorFacts): Promise<CheckVerdict> {
  const { context } = facts;
  const driver = facts.driver();
  const config = facts.config();
  const [, another] = driver.row.accelerators;
  if (another === undefined) return alwaysHardware(driver.name);
  const found = await facts.find();
  const known = found.daemon === 'alive' ? found.status : undefined;
  const program = facts.program(driver.program(config));
  const abilities = await driver.abilities?.(program, context.signal);
  const { accelerator, rejected = [] } =
    known?.accelerator === undefined
      ? await byTrial(facts, { program, abilities })
      : { accelerator: known.accelerator, rejected: known.rejected };
  if (accelerator !== 'tcg') return { kind: 'good', fact: accelerator };
  return emulation(rejected, driver.guestLacks?.({ config, accelerator, abilities }) ?? []);
}

function byTrial(
  { config, layout, context: { clock, signal } }: DoctorFacts,
  qemu: Pick<PlanInput, 'program' | 'abilities'>,
) {
  const bundle = bundleAt(chooseImage(config(), layout).prefix);
  return chooseAccelerator({ config: config(), layout, bundle, ...qemu }, clock, signal);
}
