/** What `configure` does, in order: finds out all it goes by, plans from that, then shows the plan or carries it out. */
import { parseConfig, type Config } from '../../config/config.ts';
import { layoutOf } from '../../config/layout.ts';
import { nativeSystem } from '../../domain/guest-system.ts';
import type { CliContext } from '../../command/context.ts';
import { extraSystemWarnings } from '../../nix/extra-systems.ts';
import { featureWarnings } from '../../nix/features.ts';
import { describeFound } from '../../nix/ssh/user-ssh.ts';
import { describeNix } from '../../nix/variant.ts';
import { warningsOf } from '../../nix/warnings.ts';
import { userServiceFor } from '../../service/service.ts';
import { logoutWords } from '../../service/systemd/systemd-service.ts';
import { readIfThere } from '../../system/files/files.ts';
import { hostFacts } from '../../system/host/host.ts';
import { thisUser } from '../../system/host/user.ts';
import { nodeTranslated } from '../../system/host/translated.ts';
import { loopbackFault } from '../../system/host/loopback.ts';
import { askPrograms, betterThanKept } from '../../vm/choose-vm.ts';
import type { Refused } from '../../vm/vm-ranking.ts';
import { withLegacy } from '../legacy.ts';
import { refuseOthers } from './check-request.ts';
import {
  configureFacts,
  runOf,
  type ConfigureFacts,
  type ConfigureRun,
} from './configure-facts.ts';
import { planOf } from './configure-plan.ts';
import { adviseRestart } from './effects.ts';
import type { ConfigureFlags } from './request.ts';
import { leastPort, portWarnings } from './port-warnings.ts';
import { sizeWarnings, describeSizes } from './size-warnings.ts';
import { advice, ours, type Text } from '../../system/advice.ts';

/** Checks all of it, then changes what differs and says what that was. */
export async function runConfigure(given: ConfigureFlags, context: CliContext): Promise<void> {
  refuseOthers(given.root);
  const { flags, legacy } = withLegacy(given);
  const run = runOf(flags, context);
  const facts = await configureFacts(run);
  const plan = await planOf(run, facts);
  const { config } = plan;
  const old = currentConfig(flags);
  if (old === undefined) run.say(describeSizes(config, hostFacts(flags.root)));
  if (flags.dryRun) {
    const { showPlan } = await import('./show-plan.ts');
    showPlan(plan, run);
  } else {
    const { applyPlan } = await import('./apply-plan.ts');
    const done = await applyPlan(plan, { run, facts, legacy });
    await adviseRestart(run, old, done.config);
  }
  await tellAround(config, run, facts);
}

/** What is beside the plan: what speaks against it, and what would be better. */
async function tellAround(
  config: Config,
  run: ReturnType<typeof runOf>,
  facts: ConfigureFacts,
): Promise<void> {
  const { context } = run;
  const found = [
    ...(await translatedWarnings()),
    ...(await loopbackWarnings(config)),
    ...(await logoutWarnings(run)),
  ];
  for (const warning of [...warningsFor(config, run, facts), ...found])
    context.err(advice`Warning: ${warning}`);
  const better = await gainOf({ config, layout: run.layout, path: context.env['PATH'] }, context);
  if (better !== undefined) run.say(describeGain(better));
  if (run.said() > 0 && facts.nix !== undefined) run.say(thisNix(describeNix(facts.nix)));
  if (run.said() === 0) run.say(nothingToChange);
}

/** One that would refuse the builder is no gain: forced upon it, it would leave it without a guest. */
export async function gainOf(
  here: Parameters<typeof betterThanKept>[0],
  { signal }: Pick<CliContext, 'signal'>,
) {
  const named = (refused: Refused) => betterThanKept({ ...here, refused });
  return named(await askPrograms((refused) => named(refused)?.name, here, signal));
}

/** What the builder is before this run; undefined where that is nothing, or nonsense. */
function currentConfig({ root }: ConfigureFlags): Config | undefined {
  const text = readIfThere(layoutOf(root).config);
  const parsed = text === undefined ? undefined : parseConfig(text, hostFacts(root));
  return parsed?.ok === true ? parsed.config : undefined;
}

/** What `configure` finds out of this machine is then that of another. */
export async function translatedWarnings(translated = nodeTranslated): Promise<readonly Text[]> {
  const fault = await translated();
  return fault === undefined ? [] : [advice`${fault.message} ${fault.hint}`];
}

async function loopbackWarnings({ door }: Config): Promise<readonly Text[]> {
  const fault = door === 'tcp' ? await loopbackFault() : undefined;
  return fault === undefined ? [] : [advice`${fault.message} ${fault.hint}`];
}

async function logoutWarnings({ layout, context }: ConfigureRun): Promise<readonly string[]> {
  const ends = await userServiceFor(layout, context)?.endsAtLogout?.();
  return ends === true ? [logoutWords(thisUser().name)] : [];
}

function warningsFor(
  config: Config,
  run: ConfigureRun,
  { guest, nix, userSsh, rootSsh }: ConfigureFacts,
): readonly Text[] {
  const { system } = config;
  const ownSystem = process.platform === 'linux' ? nativeSystem(process.arch) : undefined;
  // Looked up when our lines are in: they move those of others.
  const ofSsh = [
    ...describeFound(userSsh, { ...run, who: 'user' }),
    ...describeFound(rootSsh, { ...run, who: 'root' }),
  ];
  return [
    ...featureWarnings(config.features, guest.kvm),
    ...extraSystemWarnings(config, guest.i686),
    ...sizeWarnings(config, hostFacts(run.flags.root)),
    ...portWarnings(config, { uid: process.geteuid?.(), least: leastPort() }),
    ...warningsOf({ ...run, variant: nix, system, ownSystem, env: run.context.env }),
    ...new Set(ofSsh),
  ];
}

export const nothingToChange = 'Nothing to change.';
export const thisNix = (nix: string): string => `This machine has ${nix}.`;

/** What a builder that keeps its program would gain from a better one that is here now; nothing is changed by that. */
export const describeGain = ({
  kept,
  better,
  name,
  why,
}: NonNullable<ReturnType<typeof betterThanKept>>): Text =>
  advice`The guest keeps using ${kept}. ${better} is installed too, and ${why}. To switch: ${ours('configure', `--vm ${name}`)}. To let each start choose: ${ours('verdicts', '--clear')}`;
