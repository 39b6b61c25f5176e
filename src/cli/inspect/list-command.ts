/** `list`: the builders of this machine that we know of, a line each. */
import { existsSync, lstatSync } from 'node:fs';
import type { Command } from 'commander';
import type { Config } from '../../config/config.ts';
import { defaultStateDirectory, layoutOf, type Layout } from '../../config/layout.ts';
import { setUpAdvice } from '../../host/for-everybody.ts';
import { systemPathsOf } from '../../host/system-paths.ts';
import {
  directoryOption,
  layoutFor,
  type CliContext,
  type DirectoryOption,
} from '../../command/context.ts';
import { isDrained } from '../../client/drained.ts';
import { ownerOf } from '../../nix/registration.ts';
import { advice } from '../../system/advice.ts';
import { errorCode } from '../../system/failure.ts';

/** One builder, as `list --json` tells it. */
interface Listed {
  readonly directory: string;
  /** The phase of its daemon; `gone` without one, `unknown` where that cannot be told. */
  readonly phase: string;
  /** It refuses new builds until `undrain`. */
  readonly drained?: true;
  readonly system?: string;
  readonly cpus?: number;
  readonly memoryMiB?: number;
  readonly diskGiB?: number;
  /** Of 127.0.0.1, where the front door is one; else its Unix socket. */
  readonly port?: number;
  readonly socket?: string;
  /** Whether it is the one that Nix's list of builders leads to. */
  readonly known: boolean;
}

/** `list`: also builders that cannot be looked into, which are another user's. */
export function listCommand(command: Command, context: CliContext): void {
  command
    .option(...directoryOption)
    .option('--json', 'print JSON')
    .action(async (options: DirectoryOption & { readonly json?: boolean }) => {
      const named = layoutFor(options, context, 'look');
      const known = ownerOf(context.env);
      const directory = known === 'unreadable' ? undefined : known?.directory;
      const usual = defaultStateDirectory(context.env, context.home);
      const roots = new Set([named.root, usual, ...(directory === undefined ? [] : [directory])]);
      // The registered one is there although another user's directory lets nobody look.
      const layouts = [...roots]
        .map(layoutOf)
        .filter(({ root, config }) => existsSync(config) || (root === directory && isClosed(root)));
      const builders = await Promise.all(
        layouts.map((layout) => listed(layout, context, layout.root === directory)),
      );
      if (options.json === true) return context.out(JSON.stringify({ version: 1, builders }));
      if (builders.length === 0)
        return context.out(advice`There is no builder yet. ${setUpAdvice(context.env)}`);
      for (const line of table(builders)) context.out(line);
    });
}

/** Whether it cannot be told what is in it. */
function isClosed(directory: string): boolean {
  try {
    lstatSync(layoutOf(directory).config);
    return false;
  } catch (error) {
    return errorCode(error) === 'EACCES' || errorCode(error) === 'EPERM';
  }
}

async function listed(layout: Layout, context: CliContext, known: boolean): Promise<Listed> {
  const { findStatus } = await import('../../client/found.ts');
  const { readSettings } = await import('../../config/read-settings.ts');
  const base = { directory: layout.root, known };
  try {
    const found = await findStatus(layout, context);
    const status = found.daemon === 'alive' ? found.status : undefined;
    const { config } = readSettings(layout);
    return {
      ...base,
      phase: status?.phase ?? 'gone',
      ...(status && isDrained(status) && { drained: true }),
      ...(config && settingsShown(config, context)),
    };
  } catch {
    context.signal.throwIfAborted();
    // Another user's: we may know of it, and not look into it.
    return { ...base, phase: 'unknown' };
  }
}

function settingsShown({ door, port, ...config }: Config, { env }: CliContext): Partial<Listed> {
  const { system, cpus, memoryMiB, diskGiB } = config;
  const socket = systemPathsOf(env['LINUXKIT_BUILDER_TREE']).roots.doorSocket;
  return { system, cpus, memoryMiB, diskGiB, ...(door === 'tcp' ? { port } : { socket }) };
}

const heads = ['DIRECTORY', 'PHASE', 'SYSTEM', 'CPUS', 'MEMORY', 'DISK', 'DOOR', 'NIX'];

function table(builders: readonly Listed[]): readonly string[] {
  const unit = (value: number | undefined, name: string) =>
    value === undefined ? '-' : `${value} ${name}`;
  const rows = builders.map((each) => [
    each.directory,
    each.drained === true ? `${each.phase}, drained` : each.phase,
    each.system ?? '-',
    String(each.cpus ?? '-'),
    unit(each.memoryMiB, 'MiB'),
    unit(each.diskGiB, 'GiB'),
    String(each.port ?? each.socket ?? '-'),
    each.known ? 'registered' : 'not registered',
  ]);
  const widths = heads.map((head, at) =>
    Math.max(head.length, ...rows.map((row) => row[at]?.length ?? 0)),
  );
  return [heads, ...rows].map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
