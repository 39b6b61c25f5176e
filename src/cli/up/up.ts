/** What `up` does, one thing after the other; each is a command of its own. */
import { readFileSync } from 'node:fs';
import { wouldEndWithUs } from '../../client/background.ts';
import { checkConfig, type Config } from '../../config/config.ts';
import type { Layout } from '../../config/layout.ts';
import { readSettings } from '../../config/read-settings.ts';
import { readInstalled, refuseSecondUser } from '../../host/installed.ts';
import { systemPathsOf } from '../../host/system-paths.ts';
import { run, succeeded } from '../../system/process/child.ts';
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { hostFacts } from '../../system/host/host.ts';
import { thisUser } from '../../system/host/user.ts';
import { findProgram } from '../../system/process/find-program.ts';
import type { CliContext, Perform } from '../../command/context.ts';
import { mayUseNix } from './nix-access.ts';
import { findOrInstall } from './up-programs.ts';
import { advice, ours } from '../../system/advice.ts';

interface UpRun {
  /** Whether programs that are missing are installed. */
  readonly install: boolean;
  readonly perform: Perform;
}

/** The exit code: that of the first step which did not succeed. */
export async function bringUp(
  layout: Layout,
  context: CliContext,
  { install, perform }: UpRun,
): Promise<number> {
  refuseOfOthers(context);
  if (process.pid === 1) throw new Failed(wouldEndWithUs);
  const config = settingsOrDefaults(layout);
  await findOrInstall({ config, layout, path: context.env['PATH'] }, context, install);
  await mayUseNix(context);
  const steps: readonly (readonly [what: string, words: readonly string[]])[] = [
    // One that the settings name is not ours to make.
    ...(config?.bundle === undefined ? [imageStep] : []),
    ['configuring', ['configure']],
    ['starting', ['start']],
    ['waiting for the guest', ['wait']],
  ];
  for (const [what, words] of steps) {
    context.out(`==> ${what}`);
    const code = await perform(words);
    if (code !== Exit.ok) return code;
  }
  await buildExample(layout, context);
  return Exit.ok;
}

/** `configure` refuses it too, but after a long download. */
function refuseOfOthers({ env }: CliContext): void {
  const { roots } = systemPathsOf(env['LINUXKIT_BUILDER_TREE']);
  refuseSecondUser(readInstalled(roots.installed), thisUser().uid);
}

/** What the step is called, and the words of the command that takes it. */
export const imageStep = ["building the guest's image", ['image', 'build']] as const;

/** Undefined where config.json cannot be taken, which `configure` tells best. */
function settingsOrDefaults(layout: Layout): Config | undefined {
  const settings = readSettings(layout);
  if (settings.isMissing !== true) return settings.config;
  const parsed = checkConfig({}, hostFacts(layout.root));
  return parsed.ok ? parsed.config : undefined;
}

/** As anybody builds: by Nix's own list of builders. */
async function buildExample({ example }: Layout, context: CliContext): Promise<void> {
  const { env, signal } = context;
  context.out(buildingWords(example));
  const nixBuild = findProgram('nix-build', env['PATH']);
  const ran = await run(nixBuild, ['--no-out-link', example], { terminal: 'errors', signal });
  if (!succeeded(ran)) throw new Failed(notBuilt);
  const built = ran.stdout.trim();
  context.out(`==> built: ${built}`);
  context.out(readFileSync(built, 'utf8').trimEnd());
}

/** The last step, which shows that all of it works. `example`: a file. */
export const buildingWords = (example: string): string => `==> building ${example} in the guest`;

/** The guest was ready; what failed lies between it and Nix. */
export const notBuilt: Failure = {
  kind: 'example-not-built',
  message: 'The guest is ready, but Nix did not build the example in it.',
  hint: advice`See Nix's messages above. To find out what is wrong: ${ours('doctor')}`,
  exit: Exit.unavailable,
};
