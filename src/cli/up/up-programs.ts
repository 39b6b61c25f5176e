/** The programs without which there is no builder: found, installed, or named with the command that installs them. */
import type { Config } from '../../config/config.ts';
import type { Layout } from '../../config/layout.ts';
import { run, succeeded } from '../../system/process/child.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { shellWord } from '../../system/shell.ts';
import {
  hasPackage,
  installCommand,
  needsRoot,
  type Manager,
} from '../../system/process/packages.ts';
import {
  findProgram,
  managerHere,
  programMissing,
  tryProgram,
} from '../../system/process/find-program.ts';
import { askPrograms, programsHere } from '../../vm/choose-vm.ts';
import { vmDrivers } from '../../vm/vm-drivers.ts';
import { rankVms, type RankFacts, type Refused } from '../../vm/vm-ranking.ts';
import type { CliContext } from '../../command/context.ts';
import { rootProgram } from '../../system/process/become-root.ts';
import { advice, ours } from '../../system/advice.ts';

interface Wanted {
  /** Undefined where the settings cannot be taken. */
  readonly config: Config | undefined;
  readonly layout: Layout;
  readonly path: string | undefined;
  /** Default: this one. */
  readonly host?: Pick<RankFacts, 'host' | 'macos'>;
}

/** Their names; of a builder whose settings cannot be taken, those that every one needs. */
function neededPrograms(wanted: Wanted, refused: Refused): readonly string[] {
  const ofLinux = process.platform === 'linux' ? ['flock', 'ps'] : [];
  return [
    ...vmPrograms(wanted, refused),
    'mksquashfs',
    'ssh',
    'ssh-keygen',
    'nix-build',
    ...ofLinux,
  ];
}

/** The one that is named; where none is, any that can run the guest here will do, and QEMU runs everywhere. */
function vmPrograms({ config, ...here }: Wanted, refused: Refused): readonly string[] {
  if (config === undefined) return [];
  if (config.vm !== 'auto') return [vmDrivers[config.vm].program(config)];
  const best = bestHere({ ...here, config, refused });
  return best === undefined ? [vmDrivers.qemu.program(config)] : [];
}

const bestHere = (here: Parameters<typeof programsHere>[0]): string | undefined =>
  rankVms(programsHere(here)).ways[0]?.vm;

/** Why programs that are here would not run the guest. */
async function refusedIn({ config, ...here }: Wanted, signal: AbortSignal): Promise<Refused> {
  if (config?.vm !== 'auto') return {};
  return askPrograms(
    (refused) => bestHere({ ...here, config, refused }),
    { ...here, config },
    signal,
  );
}

/** Failed `programs-missing` where there is one that is not here, and may not or cannot be installed. */
export async function findOrInstall(
  wanted: Wanted,
  context: CliContext,
  install: boolean,
): Promise<void> {
  const { path } = wanted;
  const refused = await refusedIn(wanted, context.signal);
  const find = () =>
    neededPrograms(wanted, refused).filter((name) => tryProgram(name, path) === undefined);
  const missing = find();
  if (missing.length === 0) return;
  const manager = managerHere(path);
  const known = missing.filter((name) => canInstall(name, manager));
  const root = rootFor(manager, path);
  if (!install || manager === undefined || root === undefined || known.length === 0)
    throw new Failed(programsMissing(missing, manager, { refused, root }));
  await installPrograms(known, { manager, root }, context);
  const left = find();
  if (left.length > 0) throw new Failed(programsMissing(left, manager, { refused, root }));
}

/** What a user has to put before a manager that only root can use; undefined where this machine has nothing for that. */
function rootFor(manager: Manager | undefined, path: string | undefined) {
  if (manager === undefined || !needsRoot(manager) || process.getuid?.() === 0) return [];
  const program = rootProgram(path);
  return tryProgram(program, path) === undefined ? undefined : [program];
}

const canInstall = (name: string, manager: Manager | undefined): boolean =>
  manager !== undefined && hasPackage(name, manager);

interface By {
  readonly manager: Manager;
  readonly root: readonly string[];
}

async function installPrograms(
  names: readonly string[],
  { manager, root }: By,
  { env, signal, ...context }: CliContext,
): Promise<void> {
  const path = env['PATH'];
  const before = root.map((name) => findProgram(name, path));
  const asked = manager === 'apt-get' ? ['env', 'DEBIAN_FRONTEND=noninteractive'] : [];
  const perform = (words: readonly string[]) => {
    const [program = '', ...argv] = [...before, ...asked, findProgram(manager, path), ...words];
    context.out(`==> ${[...before, manager, ...words].map(shellWord).join(' ')}`);
    return run(findProgram(program, path), argv, { terminal: true, signal });
  };
  // The lists may be missing or old on a fresh machine; one of somebody else's sources may be out of reach.
  if (manager === 'apt-get') await perform(['update', '-q']);
  const words = installCommand(manager, names, 'quietly');
  if (!succeeded(await perform(words))) throw new Failed(notInstalled(manager));
}

interface Here {
  readonly refused?: Refused;
  /** As {@link rootFor} has it. */
  readonly root: readonly string[] | undefined;
}

/** One command for all that this system's manager knows; of the others, how each is had. */
export function programsMissing(
  missing: readonly string[],
  manager: Manager | undefined,
  { refused = {}, root }: Here,
): Failure {
  const known = missing.filter((name) => canInstall(name, manager));
  const command =
    manager === undefined || known.length === 0
      ? []
      : [[...(root ?? []), manager, ...installCommand(manager, known)].map(shellWord).join(' ')];
  const others = missing
    .filter((name) => !known.includes(name))
    .map((name) => advice`${name}: ${programMissing(name, manager ?? null).hint}`);
  return {
    kind: 'programs-missing',
    message: `Required ${missing.length === 1 ? 'program' : 'programs'} not found on the PATH: ${missing.join(', ')}.`,
    hint: command.length === 0 ? installIt : root === undefined ? askRoot : mayInstall,
    exit: Exit.unavailable,
    lines: [...command, ...others, ...Object.entries(refused).map(([vm, why]) => `${vm} ${why}.`)],
  };
}

const installIt = 'Install what is missing, then run the same command again.';
const mayInstall = advice`Install what is missing, or have it installed: ${ours('up', '--install')}`;
const askRoot =
  'Neither sudo nor doas is on the PATH, so ask an administrator to run that command. Then run this one again.';

/** What the package manager said of it is on the terminal. */
export const notInstalled = (manager: Manager): Failure => ({
  kind: 'programs-not-installed',
  message: `${manager} failed to install the missing programs.`,
  hint: 'See its messages above. Once that is fixed, run the same command again.',
  exit: Exit.unavailable,
});
