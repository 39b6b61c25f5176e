/** `configure` and `unconfigure` run for real on a tree of its own that stands for /. */
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { configureCommand } from '../../src/cli/setup/configure-command.ts';
import { doctorCommand } from '../../src/doctor/doctor-command.ts';
import { listCommand } from '../../src/cli/inspect/list-command.ts';
import { machinesCommand, sshConfigCommand } from '../../src/cli/inspect/registered-commands.ts';
import type { Finding } from '../../src/doctor/check-runner.ts';
import type { CliContext } from '../../src/command/context.ts';
import { unconfigureCommand } from '../../src/cli/setup/unconfigure-command.ts';
import { systemPathsOf, rootPaths } from '../../src/host/system-paths.ts';
import { withIncluded } from '../../src/nix/machines.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { plainly } from '../../src/system/advice.ts';
import { failureOf, type Failure } from '../../src/system/failure.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { removeTree } from '../remove-tree.ts';

/** What one run said and how it ended. */
export interface Outcome {
  readonly out: readonly string[];
  readonly err: readonly string[];
  readonly failure: Failure | undefined;
}

/** A tree with a home whose name has a space and an umlaut, and the files in it. */
export function configureRig() {
  const tree = mkdtempSync(join(tmpdir(), 'cfg Jörg-'));
  const systemPaths = systemPathsOf(tree);
  const state = join(tree, 'cache/state');
  for (const path of [systemPaths.home, systemPaths.rootHome, systemPaths.etcNix])
    mkdirSync(path, { recursive: true });
  return {
    tree,
    systemPaths,
    layout: layoutOf(state),
    root: rootPaths(systemPaths),
    run: (...argv: string[]) =>
      runIn({ LINUXKIT_BUILDER_TREE: tree }, ['configure', '-d', state, ...argv]),
    runWith: (env: NodeJS.ProcessEnv, ...argv: string[]) =>
      runIn({ LINUXKIT_BUILDER_TREE: tree, ...env }, ['configure', ...argv]),
    unconfigure: (...argv: string[]) =>
      runIn({ LINUXKIT_BUILDER_TREE: tree }, ['unconfigure', '-d', state, ...argv]),
    doctor: async (env: NodeJS.ProcessEnv = {}, ...argv: string[]) => {
      const world = { PATH: process.env['PATH'], LINUXKIT_BUILDER_TREE: tree, ...env };
      const { out } = await runIn(world, ['doctor', '-d', state, '--json', ...argv]);
      return (JSON.parse(out[0] ?? '') as { findings: Finding[] }).findings;
    },
    anyWith: (env: NodeJS.ProcessEnv, ...argv: string[]) => runIn(env, argv),
    /** Every file and directory with its mode and content. */
    snapshot: () => snapshot(tree),
    read: (path: string) => readFileSync(path, 'utf8'),
    /** What Nix reads in its list. */
    list: () =>
      withIncluded(readFileSync(rootPaths(systemPaths).machines, 'utf8'), (path) =>
        readFileSync(path, 'utf8'),
      ),
    mode: (path: string) => (statSync(path).mode & 0o777).toString(8),
    [Symbol.dispose]: () => removeTree(tree),
  };
}

async function runIn(env: NodeJS.ProcessEnv, argv: string[]): Promise<Outcome> {
  const out: string[] = [];
  const err: string[] = [];
  const program = new Command().exitOverride();
  const context: CliContext = {
    env,
    home: '/nonexistent',
    assets: dirname(dirname(import.meta.dirname)),
    out: (line) => out.push(plainly(line)),
    err: (line) => err.push(plainly(line)),
    isTTY: false,
    signal: new AbortController().signal,
    clock: systemClock,
    onStopSignal: () => undefined,
    exit: () => undefined,
  };
  configureCommand(program.command('configure'), context);
  unconfigureCommand(program.command('unconfigure'), context);
  doctorCommand(program.command('doctor'), context);
  listCommand(program.command('list'), context);
  machinesCommand(program.command('machines'), context);
  sshConfigCommand(program.command('ssh-config'), context);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return { out, err, failure: undefined };
  } catch (error) {
    return { out, err, failure: failureOf(error) };
  }
}

export function snapshot(tree: string): Record<string, string> {
  const entries = readdirSync(tree, { recursive: true, encoding: 'utf8' }).sort();
  return Object.fromEntries(
    entries.map((name) => {
      const stats = lstatSync(join(tree, name));
      if (stats.isSymbolicLink()) return [name, `-> ${readlinkSync(join(tree, name))}`];
      const mode = `${(stats.mode & 0o7777).toString(8)} ${stats.uid}:${stats.gid}`;
      return [name, stats.isFile() ? `${mode} ${readFileSync(join(tree, name), 'latin1')}` : mode];
    }),
  );
}
