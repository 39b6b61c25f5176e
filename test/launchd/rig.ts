/** A user's home in a tree of its own, the real program in it, and a launchd that is not the system's. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { layoutOf } from '../../src/config/layout.ts';
import { agentPaths } from '../../src/service/launchd/launch-agent.ts';
import { systemPathsOf } from '../../src/host/system-paths.ts';
import { readStatus } from '../../src/supervisor/status/status.ts';
import { snapshot } from '../setup/configure-rig.ts';
import type { BuiltProgram } from '../fakes/program.ts';
import { freePort } from '../rig/free-port.ts';
import { StandInLaunchd, type StandInOptions } from './stand-in.ts';
import { removeTree } from '../remove-tree.ts';

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** `node` runs our commands: by that path, and PATH names what is beside `path`; `terminal` is what else they find there. */
interface RigOptions extends StandInOptions {
  readonly terminal?: Readonly<Record<string, string>>;
  readonly node?: string;
  readonly path?: string;
}

export async function launchdRig(program: BuiltProgram, options: RigOptions = {}) {
  const tree = mkdtempSync(join(tmpdir(), 'Mac von Jörg-'));
  const systemPaths = systemPathsOf(tree);
  for (const path of [systemPaths.home, systemPaths.etcNix]) mkdirSync(path, { recursive: true });
  const state = join(tree, 'state dir');
  const layout = layoutOf(state);
  // Another one than the default, on which the builder of this machine may listen, or another test's.
  const port = ['--port', String(await freePort())];
  const launchd = await StandInLaunchd.start({ throttleSecondMs: 20, ...options });
  const env = {
    PATH: [launchd.bin, options.path, process.env['PATH']].filter(Boolean).join(':'),
    HOME: systemPaths.home,
    LINUXKIT_BUILDER_TREE: tree,
    LINUXKIT_BUILDER_SERVICE: 'launchd',
    LINUXKIT_BUILDER_DIR: state,
    ...options.terminal,
  };
  return {
    tree,
    systemPaths,
    layout,
    launchd,
    agent: agentPaths(systemPaths.home),
    snapshot: () => snapshot(tree),
    run: (command: string, ...argv: string[]) =>
      runProgram(
        program,
        [command, ...(command === 'configure' ? port : []), ...argv],
        env,
        options.node,
      ),
    status: () => readStatus(layout),
    /** Of the daemon that lives. */
    daemonPid: () => {
      const found = readStatus(layout);
      return found.daemon === 'alive' ? found.status.daemon.pid : undefined;
    },
    log: () => readFileSync(layout.log, 'utf8'),
    async [Symbol.asyncDispose]() {
      await launchd[Symbol.asyncDispose]();
      await runProgram(program, ['stop'], { ...env, LINUXKIT_BUILDER_SERVICE: 'none' });
      removeTree(tree);
    },
  };
}

/** Not spawnSync: the stand-in lives in this process and has to answer. */
function runProgram(
  program: BuiltProgram,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  node = process.execPath,
): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(node, [program.main, ...argv], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.once('close', (code) => resolve({ code, out, err }));
  });
}
