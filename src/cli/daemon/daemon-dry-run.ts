/** `daemon --dry-run`: what a start would run, to the last word, on any host; nothing is written and nothing has to be there. */
import { existsSync } from 'node:fs';
import { checkConfig, parseConfig, type Config } from '../../config/config.ts';
import type { Layout } from '../../config/layout.ts';
import { describeToOwner, type Problem } from '../../domain/problem.ts';
import {
  linkTo,
  networksOf,
  vmPrograms,
  type NetworkName,
  type VmName,
} from '../../domain/vm-programs.ts';
import {
  chooseNetwork,
  networkDrivers,
  type Chosen,
  type ChooseOptions,
} from '../../net/networks.ts';
import { chooseImage } from '../../supervisor/start/image-choice.ts';
import { vmWouldRefuse } from '../../supervisor/start/prepare-start.ts';
import { planOf, type LaunchPlan } from '../../supervisor/start/launch-plan.ts';
import { firstSocketFd, type Launch } from '../../system/process/child.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { readIfThere } from '../../system/files/files.ts';
import { hostFacts } from '../../system/host/host.ts';
import { nameServersHere } from '../../system/host/resolvers.ts';
import { tryProgram } from '../../system/process/find-program.ts';
import { shellWord } from '../../system/shell.ts';
import { likelyAccelerator } from '../../vm/accelerator.ts';
import { bundleAt, partsOf } from '../../vm/boot-image.ts';
import { driverFor } from '../../vm/choose-vm.ts';
import type { Abilities, VmDriver } from '../../vm/vm-driver.ts';
import type { CliContext } from '../../command/context.ts';

/** What is looked at in place of the settings' own choice, and how it is printed. */
export interface DryRunOptions {
  readonly vm?: VmName | 'auto';
  readonly network?: NetworkName;
  readonly json?: true;
}

/** One child as a caller would run it. */
interface Shown {
  readonly file: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Unix sockets that it inherits listening, from descriptor 3 on. */
  readonly sockets?: readonly string[];
}

interface DryRun {
  /** PREFIX of the image that the VM's kernel and initrd are made of. */
  readonly image: string;
  readonly vm: Shown;
  readonly network: Shown | null;
  /** What the VM program would not take. */
  readonly problems: readonly Problem[];
}

/** Says what would be run. Failed when the config, or what was asked for, cannot be. */
export async function showPlan(
  layout: Layout,
  options: DryRunOptions,
  context: CliContext,
): Promise<void> {
  const { image, vm, network, problems } = await planFor(layout, options, context);
  const shown: DryRun = {
    image,
    vm: show(vm),
    network: network === undefined ? null : show(network),
    problems,
  };
  // As a start with them fails; but an image that was not made yet does not have to be there.
  const counting = problems.filter(
    ({ path }) => path !== 'bundle' || existsSync(bundleAt(image).kernel),
  );
  if (counting.length > 0) context.exit(vmWouldRefuse(vm.program, counting).exit);
  if (options.json === true) return context.out(JSON.stringify(shown, null, 2));
  context.out(`# boots the image ${image}`);
  for (const [what, child] of [
    ['network', shown.network],
    ['vm', shown.vm],
  ] as const)
    if (child !== null) for (const line of lines(what, child)) context.out(line);
  for (const problem of problems) context.err(describeToOwner(problem));
}

async function planFor(
  layout: Layout,
  options: DryRunOptions,
  { env, signal }: CliContext,
): Promise<LaunchPlan & Pick<DryRun, 'image'>> {
  const asked = { config: configFor(layout, options), layout, path: env['PATH'] };
  const driver = driverFor(asked);
  const vm = await programOf(driver, asked, signal);
  const bundle = bundleAt(chooseImage(asked.config, layout).prefix);
  const plan = planOf({
    ...asked,
    ...vm,
    driver,
    bundle,
    parts: partsOf(bundle, driver.row),
    accelerator: likelyAccelerator({ ...asked, ...vm }),
    network: networkFor({ ...asked, row: driver.row, vmProgram: vm.program }),
    cmdline: readIfThere(bundle.cmdline)?.trim() ?? '',
  });
  return { image: bundle.prefix, ...plan };
}

/** The VM program, and what it can do; where it is not installed, its name alone. */
async function programOf(
  driver: VmDriver,
  { config, path }: { readonly config: Config; readonly path: string | undefined },
  signal: AbortSignal,
): Promise<{ readonly program: string; readonly abilities: Abilities | undefined }> {
  const name = driver.program(config);
  const found = tryProgram(name, path);
  const abilities = found === undefined ? undefined : await driver.abilities?.(found, signal);
  return { program: found ?? name, abilities };
}

/** What a start would take; where it is not installed, by its name alone. */
function networkFor(options: Omit<ChooseOptions, 'nameServers'>): Chosen {
  const { config, row } = options;
  try {
    return chooseNetwork({ ...options, nameServers: nameServersHere() });
  } catch (error) {
    if (!(error instanceof Failed)) throw error;
    const names = config.network === 'auto' ? networksOf(row) : [config.network];
    const driver = networkDrivers.find(({ name }) => names.includes(name));
    const link = driver && linkTo(row, driver.name);
    return driver && link && { driver, link, program: driver.name, rejected: [] };
  }
}

/** config.json, or the defaults; with --vm and --network in place of what it says. */
function configFor(layout: Layout, { vm: vmName, network: networkName }: DryRunOptions): Config {
  const file = settingsIn(layout);
  // Another VM has other networks: what the file says goes with its own.
  const { network: old, ...rest } = file;
  const keep =
    vmName === undefined ||
    vmName === (file['vm'] ?? 'auto') ||
    (file['vm'] === undefined && goesWith(vmName, old));
  const json = {
    ...rest,
    ...(keep && old !== undefined ? { network: old } : {}),
    ...(vmName === undefined ? {} : { vm: vmName }),
    ...(networkName === undefined ? {} : { network: networkName }),
  };
  const host = hostFacts(layout.root);
  const parsed = checkConfig(json, { ...host, arch: archFor(vmName, host.arch) });
  if (parsed.ok) return parsed.config;
  throw new Failed(cannotBe(parsed.problems));
}

const goesWith = (vm: VmName | 'auto', network: unknown): boolean =>
  vm === 'auto' || networksOf(vmPrograms[vm]).some((name) => name === network);

/** On any host a plan can be shown: where the program is not made for this one's processor, for the one that it is made for. */
function archFor(vm: VmName | 'auto' | undefined, own: 'x64' | 'arm64'): 'x64' | 'arm64' {
  const hosts = vm === undefined || vm === 'auto' ? [] : vmPrograms[vm].hosts;
  if (hosts.length === 0 || hosts.some((host) => host.endsWith(own))) return own;
  return own === 'x64' ? 'arm64' : 'x64';
}

/** What stands in config.json, as far as it is a list of settings; what is wrong with those is told by the check. */
function settingsIn(layout: Layout): Record<string, unknown> {
  const text = readIfThere(layout.config) ?? '{}';
  try {
    const json: unknown = JSON.parse(text);
    const isList = typeof json === 'object' && json !== null && !Array.isArray(json);
    return isList ? { ...json } : { 'config.json': json };
  } catch {
    // For what is no JSON the check of the settings has the words.
    const parsed = parseConfig(text, hostFacts(layout.root));
    throw new Failed(cannotBe(parsed.ok ? [] : parsed.problems));
  }
}

const cannotBe = (problems: readonly Problem[]): Failure => ({
  kind: 'config-invalid',
  message: 'This configuration is not possible.',
  hint: 'Correct these settings.',
  exit: Exit.config,
  lines: problems.map(describeToOwner),
});

const show = ({ program, argv, env, cwd, sockets }: Launch): Shown => ({
  file: program,
  argv,
  env,
  cwd,
  ...(sockets === undefined ? {} : { sockets }),
});

/** One word a line, quoted for sh where it must be: one command that a shell takes as it is. */
const lines = (what: string, { file, argv, env, cwd, sockets = [] }: Shown): string[] => [
  `# ${what}`,
  ...sockets.map(
    (path, n) => `# file descriptor ${firstSocketFd + n} is a socket that listens at ${path}`,
  ),
  ...continued([
    `cd ${shellWord(cwd)} &&`,
    ...Object.entries(env).map(([name, value]) => `${name}=${shellWord(value)}`),
    shellWord(file),
    ...argv.map((word) => `  ${shellWord(word)}`),
  ]),
];

const continued = (words: readonly string[]): string[] =>
  words.map((word, index) => (index < words.length - 1 ? `${word} \\` : word));
