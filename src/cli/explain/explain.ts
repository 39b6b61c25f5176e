/** Asks Nix what a derivation is and what it is set to, and our own files for the rest. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Layout } from '../../config/layout.ts';
import { isSetUp } from '../../config/not-set-up.ts';
import {
  routingOf,
  type Derivation,
  type Routing,
  type NixConfig,
  type RoutingFacts,
} from '../../nix/build-routing.ts';
import { leadsToUs, ourEntryIn, withIncluded } from '../../nix/machines.ts';
import { parseConfig, parseDerivation } from '../../nix/answers.ts';
import { externalSystems, settingOf } from '../../nix/conf.ts';
import { otherOwner } from '../../host/for-everybody.ts';
import { systemPathsOf } from '../../host/system-paths.ts';
import { describeListFault, listFaults, theSetting } from '../../nix/settings/list-faults.ts';
import { findNix } from '../../nix/variant.ts';
import { isDrained } from '../../client/drained.ts';
import { findStatus } from '../../client/found.ts';
import { traitsOf, type PhaseTraits } from '../../supervisor/lifecycle/phases.ts';
import type { FoundStatus } from '../../supervisor/status/status.ts';
import { run, succeeded, type CommandResult } from '../../system/process/child.ts';
import { Exit, Failed } from '../../system/failure.ts';
import { OthersFiles } from '../../system/files/others-files.ts';
import { findProgram, tryProgram } from '../../system/process/find-program.ts';
import { driverOf } from '../../vm/vm-drivers.ts';
import type { CliContext } from '../../command/context.ts';
import { saying } from '../../command/announce-slow.ts';

/** Where that would be built, and why. */
export async function explain(
  installable: string,
  layout: Layout,
  context: CliContext,
): Promise<Routing & Notes> {
  const nix = (program: string, ...argv: readonly string[]): Promise<CommandResult> =>
    saying(waitingForNix([program, ...argv]), context, () =>
      run(findProgram(program, context.env['PATH']), argv, {
        timeoutMs: 300_000,
        signal: context.signal,
        maxBytes: 64 * 1024 * 1024,
      }),
    );
  const drv = await derivationOf(installable, nix);
  const config = await configOf(nix);
  const { machines, nixConf } = systemPathsOf(context.env['LINUXKIT_BUILDER_TREE']).roots;
  const others = new OthersFiles();
  const list = others.read(machines) ?? '';
  const external = settingOf('external-builders', nixConf, others.read)?.value ?? '';
  const found = await findStatus(layout, context);
  const destination = routingOf(drv, {
    config,
    // In the list, mostly; what `builders` says itself counts before that.
    ours: ourEntry(config.builders, others) ?? ourEntry(list, others),
    hidden: leadsToUs(config.builders, others.read) ? undefined : config.builders,
    malformed: await malformed(config.builders, context),
    unread: others.unread,
    external: externalSystems(external) ?? [],
    isSetUp: isSetUp(layout),
    othersName: otherOwner(context.env)?.name,
    isBuilt:
      drv.outputs.length > 0 &&
      succeeded(await nix('nix-store', '--check-validity', ...drv.outputs)),
    lost: found.daemon === 'alive' ? (found.status.lostSystems ?? []) : [],
    builder: builderIn(found),
  });
  return { ...destination, notes: await notesOn(found, context) };
}

/** What makes Nix refuse the list that this setting leads to. */
async function malformed(value: string, context: CliContext): Promise<string | undefined> {
  const { machines } = systemPathsOf(context.env['LINUXKIT_BUILDER_TREE']).roots;
  const builders = { file: theSetting, value, line: undefined };
  const faults = listFaults({ machines, builders, others: new OthersFiles() });
  if (faults.length === 0) return undefined;
  const nix = await findNix(context);
  return faults.flatMap((fault) => describeListFault(fault, nix) ?? [])[0];
}

function builderIn(found: FoundStatus): RoutingFacts['builder'] {
  if (found.daemon === 'gone') return undefined;
  const { phase } = found.status;
  return { phase, builds: comes[traitsOf(phase).builds], isDrained: isDrained(found.status) };
}

const comes = {
  now: 'now',
  soon: 'later',
  'on-demand': 'later',
  'held-up': 'not',
  never: 'not',
  ended: 'not',
} as const satisfies Record<PhaseTraits['builds'], string>;

/** What a build may miss that comes. */
export interface Notes {
  readonly notes: readonly string[];
}

async function notesOn(
  found: FoundStatus,
  { env, signal }: CliContext,
): Promise<readonly string[]> {
  if (found.daemon !== 'alive' || found.status.builder === undefined) return [];
  const { accelerator, builder } = found.status;
  if (accelerator !== 'tcg' || builder.vm === 'auto') return [];
  const driver = driverOf(builder.vm);
  const program = tryProgram(driver.program(builder), env['PATH']);
  if (program === undefined) return [];
  const abilities = await driver.abilities?.(program, signal);
  const lacked = driver.guestLacks?.({ config: builder, accelerator, abilities }) ?? [];
  return lacked.map((words) => `Guest: ${words}.`);
}

const ourEntry = (text: string, { read }: OthersFiles) => ourEntryIn(withIncluded(text, read));

type RunNix = (program: string, ...argv: readonly string[]) => Promise<CommandResult>;

/** A file is instantiated first, which needs no flakes; the newer spelling of a command is tried before the older. */
async function derivationOf(installable: string, nix: RunNix): Promise<Derivation> {
  let what = installable;
  if (!installable.endsWith('.drv') && !installable.includes('#') && existsSync(installable)) {
    const ran = await nix('nix-instantiate', resolve(installable));
    if (!succeeded(ran)) throw new Failed(unreadable(installable, ran));
    what = ran.stdout.trim().split('\n')[0]?.split('!')[0] ?? '';
  }
  const ran = await eitherWay(nix, ['derivation', 'show', what], ['show-derivation', what]);
  const drv = succeeded(ran) ? parseDerivation(ran.stdout) : undefined;
  if (drv === undefined) throw new Failed(unreadable(installable, ran));
  return drv;
}

async function configOf(nix: RunNix): Promise<NixConfig> {
  const ran = await eitherWay(nix, ['config', 'show', '--json'], ['show-config', '--json']);
  const config = succeeded(ran) ? parseConfig(ran.stdout) : undefined;
  if (config === undefined) throw new Failed(unreadable(ownSettings, ran));
  return config;
}

async function eitherWay(
  nix: RunNix,
  newer: readonly string[],
  older: readonly string[],
): Promise<CommandResult> {
  const features = ['--extra-experimental-features', 'nix-command flakes'];
  const ran = await nix('nix', ...features, ...newer);
  if (succeeded(ran) || ran.ended.kind !== 'exited') return ran;
  // Whether it knows the command or not, nothing but its words would tell, and they change.
  const again = await nix('nix', ...features, ...older);
  return succeeded(again) ? again : { ...again, stderr: `${ran.stderr}${again.stderr}` };
}

/** Said before a wait: to evaluate a derivation may take Nix minutes. */
export const waitingForNix = (words: readonly string[]): string =>
  `Waiting for Nix: ${words.join(' ')}`;

/** Where a value stands that a derivation sets itself. */
export const ownSettings = 'its own settings';

/** Nix was asked for `what`, and failed. */
export function unreadable(what: string, { stderr, ended }: CommandResult) {
  const words = stderr.trim();
  return {
    kind: 'nix-does-not-say',
    message:
      ended.kind === 'signalled'
        ? `Nix crashed (${ended.signal}) while reading ${what}.`
        : `Nix cannot read ${what}.`,
    hint:
      ended.kind === 'signalled'
        ? 'Check that `nix-instantiate --version` works. A nix.conf that includes itself causes such crashes.'
        : "Nix's own messages are above. Give a .drv file, a .nix file or an installable of nix build.",
    exit: Exit.dataError,
    lines: words === '' ? [] : words.split('\n').slice(-5),
  };
}
