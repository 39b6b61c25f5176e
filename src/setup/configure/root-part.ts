/** Root's part of `configure`, and what is said of files that are not ours to change. */
import { rmSync } from 'node:fs';
import { needed, rootScript, type RootNeeds } from '../root/root-files.ts';
import { rootValuesOf } from '../root/root-plan.ts';
import {
  printScript,
  runScript,
  runsFor,
  withoutSudo,
  type ScriptRun,
} from '../root/run-script.ts';
import { tellGuest } from '../../client/tell-guest.ts';
import { leftToPerson, type ByHand, type Survey } from '../survey.ts';
import type { ConfigureRun } from './configure-facts.ts';
import { advice, ours } from '../../system/advice.ts';

/** Writes root's files as root, or prints what an administrator runs. */
export async function rootPart(run: ConfigureRun, needs: RootNeeds): Promise<void> {
  const { layout, context, flags, say } = run;
  // The release before left a private key in it.
  rmSync(layout.rootRequest, { force: true });
  if (flags.skipRoot) printPart(run, needs);
  else {
    const runs = runsFor(context);
    const wrote = await settleRoot({ ...runs, needs, renewsKey: flags.renewKeys === true });
    wrote.forEach(say);
    if (wrote.length > 0) await tellGuest(layout, context, say);
    if (runs.isRoot) sayUnchanged(run, needs, needed(needs));
  }
  sayByHand(run, needs.byHand);
}

/** What an administrator runs. */
function printPart({ context, flags }: ConfigureRun, needs: RootNeeds): void {
  if (flags.json) return context.out(JSON.stringify(rootValuesOf(needs.request)));
  if (needed(needs).length === 0) return;
  const script = rootScript(needs, { renewsKey: flags.renewKeys === true });
  printScript(script, "Root's files were", context, (line) => context.out(line));
}

export interface RootOptions extends Omit<ScriptRun, 'refused'> {
  readonly needs: RootNeeds;
  /** Root's own key is made anew. */
  readonly renewsKey?: boolean;
}

/** Does root's part; what it said of it. */
export async function settleRoot(options: RootOptions): Promise<readonly string[]> {
  const { needs, isRoot, err } = options;
  const files = needed(needs);
  if (files.length === 0) return [];
  if (!isRoot) {
    err('nix-daemon runs as root, so these files must belong to root:');
    for (const { path, purpose } of files) err(`  ${path}: ${purpose}`);
  }
  return runScript(rootScript(needs, options), { ...options, refused: notRegistered });
}

const notRegistered = {
  so: 'your own files are written, but the builder is not registered with Nix as configured.',
  hint: advice`Run configure again as a user who can use sudo, or have an administrator run, as root, what this prints: ${ours('configure', '--no-root')}`,
  without: withoutSudo('configure'),
};

export function sayByHand({ context }: ConfigureRun, byHand: readonly ByHand[]): void {
  for (const line of byHand.flatMap(leftToPerson)) context.err(line);
}

export function sayUnchanged(
  { flags, context }: ConfigureRun,
  { files, changes }: Survey,
  touched: readonly { readonly path: string }[] = changes.map(({ wanted }) => wanted),
): void {
  if (!flags.verbose) return;
  const paths = touched.map(({ path }) => path);
  for (const { path } of files.filter((file) => !paths.includes(file.path)))
    context.out(`Unchanged: ${path}`);
}
