/** What the checks of `doctor` look at, gathered once. */
import type { Config } from '../config/config.ts';
import type { Layout } from '../config/layout.ts';
import { asQuestion } from './ssh/as-question.ts';
import type { Check, CheckVerdict } from './check-runner.ts';
import { systemPathsOf, type SystemPaths } from '../host/system-paths.ts';
import { readSettings } from '../config/read-settings.ts';
import { isDrained, undrain } from '../client/drained.ts';
import { findStatus } from '../client/found.ts';
import { traitsOf } from '../supervisor/lifecycle/phases.ts';
import type { FoundStatus } from '../supervisor/status/status.ts';
import type { Status } from '../supervisor/status/status-schema.ts';
import { SshAsker } from '../nix/ssh/ask-ssh.ts';
import { findProgram, tryProgram } from '../system/process/find-program.ts';
import { findNix } from '../nix/variant.ts';
import { driverFor } from '../vm/choose-vm.ts';
import type { VmDriver } from '../vm/vm-driver.ts';
import type { CliContext } from '../command/context.ts';
import { advice, ours } from '../system/advice.ts';

/** What is read from it is read when it is asked for: an earlier check may have mended it. */
export interface DoctorFacts {
  readonly layout: Layout;
  readonly context: CliContext;
  readonly tree: string;
  readonly systemPaths: SystemPaths;
  /** Asks ssh what its configuration comes to. */
  readonly asker: SshAsker;
  /** The settings; fails where they cannot be read. */
  readonly config: () => Config;
  /** The program that runs the guest, or will. */
  readonly driver: () => VmDriver;
  /** Asks what is true now. */
  readonly find: () => Promise<FoundStatus>;
  /** What the living daemon said when it was asked last; fails where there is none. */
  readonly status: () => Status;
  /** This machine's, asked once. */
  readonly nix: () => ReturnType<typeof findNix>;
  readonly program: (name: string) => string;
  readonly tryProgram: (name: string) => string | undefined;
}

/** Programs are looked for on the PATH of whoever asks. */
export function doctorFacts(layout: Layout, context: CliContext): DoctorFacts {
  const tree = context.env['LINUXKIT_BUILDER_TREE'] ?? '';
  let found: FoundStatus | undefined;
  let nix: ReturnType<typeof findNix> | undefined;
  const path = context.env['PATH'];
  const config = () => {
    const { config: read } = readSettings(layout);
    if (read === undefined) throw new Error('the settings were checked before');
    return read;
  };
  return {
    layout,
    context,
    tree,
    systemPaths: systemPathsOf(tree),
    asker: new SshAsker(context.signal),
    config,
    driver: () => driverFor({ config: config(), layout, path }),
    async find() {
      return (found = await findStatus(layout, context));
    },
    status() {
      if (found?.daemon !== 'alive') throw new Error('the daemon was looked for before');
      return found.status;
    },
    nix: () => (nix ??= findNix(context)),
    program: (name) => findProgram(name, path),
    tryProgram: (name) => tryProgram(name, path),
  };
}

/** Whether there is no guest because nobody needs one. */
export const isAway = ({ status }: DoctorFacts): boolean =>
  traitsOf(status().phase).builds === 'on-demand';

/** A check that asks the guest itself: one that is away is not woken for it. */
export const unlessAway =
  (facts: DoctorFacts, run: Check['run']): Check['run'] =>
  () =>
    isAway(facts) ? notWoken : run();

/** A check that passes through the door, which opens for nobody while the builder is drained. */
export const throughDoor = (facts: DoctorFacts, run: Check['run']): Check['run'] =>
  unlessAway(facts, () => (isDrained(facts.status()) ? notLetIn : asQuestion(facts, run)()));

const notLetIn: CheckVerdict = {
  kind: 'not-asked',
  code: 'drained',
  why: advice`the builder is drained, which also refuses this check; to run it, first: ${undrain}`,
};

const notWoken: CheckVerdict = {
  kind: 'not-asked',
  code: 'guest-away',
  why: advice`the guest is not running, and is not started for this check; to start it: ${ours('resume')}`,
};
