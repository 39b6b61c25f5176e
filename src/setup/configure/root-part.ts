/** Root's part of `configure`, and what is said of files that are not ours to change. */
import { rmSync } from 'node:fs';
import {
  forAdministrator,
  needed,
  rootScript,
  settleRoot,
  type RootNeeds,
} from '../root/root-files.ts';
import { rootValuesOf } from '../root/root-plan.ts';
import { tellGuest } from '../../client/tell-guest.ts';
import type { ByHand, Survey } from '../survey.ts';
import type { Run } from './configure-facts.ts';
import { leftToPerson } from '../setup-words.ts';
import { rootProgram } from '../../system/process/become-root.ts';

/** Writes root's files as root, or prints what an administrator runs. */
export async function rootPart(run: Run, needs: RootNeeds): Promise<void> {
  const { layout, context, flags, say } = run;
  // The release before left a private key in it.
  rmSync(layout.rootRequest, { force: true });
  if (flags.skipRoot) printScript(run, needs);
  else {
    const { signal } = context;
    const err = (line: string) => context.err(line);
    const isRoot = process.getuid?.() === 0;
    const options = { needs, isRoot, sudo: rootProgram(), signal, err };
    const wrote = await settleRoot({ ...options, renewsKey: flags.renewKeys === true });
    wrote.forEach(say);
    if (wrote.length > 0) await tellGuest(layout, context, say);
    if (isRoot) sayUnchanged(run, needs, needed(needs));
  }
  sayByHand(run, needs.byHand);
}

/** What an administrator runs. Alone on the output, so that it can be kept or piped. */
function printScript({ context, flags }: Run, needs: RootNeeds): void {
  if (flags.json) return context.out(JSON.stringify(rootValuesOf(needs.request)));
  if (needed(needs).length === 0) return;
  context.err(forAdministrator("Root's files were"));
  const script = rootScript(needs, { renewsKey: flags.renewKeys === true });
  for (const line of script.trimEnd().split('\n')) context.out(line);
}

export function sayByHand({ context }: Run, byHand: readonly ByHand[]): void {
  for (const line of byHand.flatMap(leftToPerson)) context.err(line);
}

export function sayUnchanged(
  { flags, context }: Run,
  { files, changes }: Survey,
  touched: readonly { readonly path: string }[] = changes.map(({ wanted }) => wanted),
): void {
  if (!flags.verbose) return;
  const paths = touched.map(({ path }) => path);
  for (const { path } of files.filter((file) => !paths.includes(file.path)))
    context.out(`Unchanged: ${path}`);
}
