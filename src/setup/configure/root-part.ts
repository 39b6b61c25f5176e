/** Root's part of `configure`, and what is said of files that are not ours to change. */
import { rmSync } from 'node:fs';
import type { Layout } from '../../config/layout.ts';
import { rootRequest, type Builder } from '../builder-files.ts';
import { needed, rootNeeds, rootScript, settleRoot, type RootNeeds } from '../root/root-files.ts';
import { rootFiles, rootValuesOf, type ByHand, type RootRequest } from '../root/root-plan.ts';
import type { ConfigureFlags } from './request.ts';
import type { CliContext } from '../../command/context.ts';
import { tellGuest } from '../../client/tell-guest.ts';
import { rootSsh } from '../../nix/ssh/user-ssh.ts';

interface RootRun {
  readonly flags: ConfigureFlags;
  readonly context: CliContext;
  readonly layout: Layout;
  /** What stands for /; empty where that is / itself. */
  readonly tree: string;
  readonly say: (line: string) => void;
}

/** Writes root's files as root, or prints what an administrator runs. */
export async function rootPart(run: RootRun, builder: Builder): Promise<void> {
  const { layout, context, flags, say } = run;
  // The release before left a private key in it.
  rmSync(layout.rootRequest, { force: true });
  const ssh = await rootSsh({ ...run, places: builder.places, sudo: !flags.skipRoot });
  const request = { ...rootRequest(builder), ...ssh };
  const needs = rootNeeds(request);
  if (flags.skipRoot) printScript(run, request, needs);
  else {
    const { signal } = context;
    const err = (line: string) => context.err(line);
    const isRoot = process.getuid?.() === 0;
    const options = { request, needs, isRoot, sudo: 'sudo', signal, err };
    const wrote = await settleRoot({ ...options, renewsKey: flags.renewKeys === true });
    wrote.forEach(say);
    if (wrote.length > 0) await tellGuest(layout, context, say);
    if (isRoot)
      sayUnchanged(
        run,
        rootFiles(request),
        needed(needs).map(({ path }) => path),
      );
  }
  sayByHand(run, needs.byHand);
}

/** What an administrator runs. Alone on the output, so that it can be kept or piped. */
function printScript({ context, flags }: RootRun, request: RootRequest, needs: RootNeeds): void {
  if (flags.json) return context.out(JSON.stringify(rootValuesOf(request)));
  if (needed(needs).length === 0) return;
  context.err("Not done, as asked: root's part. An administrator runs as root, by /bin/sh:");
  const script = rootScript(request, { ...needs, renewsKey: flags.renewKeys === true });
  for (const line of script.trimEnd().split('\n')) context.out(line);
}

export function sayByHand({ context }: RootRun, byHand: readonly ByHand[]): void {
  for (const { path, why, text } of byHand) {
    context.err(`${path} ${why}, so it is left alone.`);
    for (const line of text.split('\n')) context.err(line);
  }
}

export function sayUnchanged(
  { flags, context }: RootRun,
  files: readonly { readonly path: string }[],
  changed: readonly string[],
): void {
  if (!flags.verbose) return;
  for (const { path } of files.filter((file) => !changed.includes(file.path)))
    context.out(`Unchanged: ${path}`);
}
