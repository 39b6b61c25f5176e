/** The launcher alone: what it does about what does not exist, with a wait4path of ours. */
import { spawn, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { launcherText, type JobValues } from '../../src/service/launchd/launch-agent.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { readIfThere } from '../../src/system/files/files.ts';
import { until } from '../../src/system/time/wait.ts';
import { removeTree } from '../remove-tree.ts';

const template = readFileSync(resolve(import.meta.dirname, '../../launchd/launcher.sh'), 'utf8');
let tree: string;
let values: Omit<JobValues, 'path'>;
const children: ChildProcess[] = [];

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), "it's Jörgs launcher-"));
  const at = (name: string) => join(tree, name);
  const main = at('main.js');
  values = { named: at('named'), node: at('node'), main, namedMain: main, state: at('state') };
  mkdirSync(at('state'));
  writeFileSync(at('main.js'), '');
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGTERM');
  removeTree(tree);
});

function script(path: string, body: string): void {
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
}

/** A Node that only tells how it was run. */
const teller = 'echo "ran $0 $*"';
const told = (node: string) =>
  `ran ${node} ${values.main} daemon --managed --directory ${values.state}\n`;
const output = () => readIfThere(join(values.state, 'nix-state/daemon.out'));

function launch(patienceSeconds: number) {
  const wait4path = join(tree, 'wait4path');
  const child = spawn(
    '/bin/sh',
    ['-c', launcherText(template, { ...values, log: join(tree, 'Logs/our.log') })],
    {
      env: {
        PATH: '/usr/bin:/bin',
        LINUXKIT_BUILDER_WAIT4PATH: wait4path,
        LINUXKIT_BUILDER_PATIENCE: `${patienceSeconds}`,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  children.push(child);
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise<number | null>((gone) => child.once('close', gone));
  return { child, ended, said: () => said };
}

const comes = async (fact: () => boolean, what: string) =>
  expect(
    await until(fact, { clock: systemClock, everyMs: 5, timeoutMs: 50_000 }),
    `waited in vain: ${what}`,
  ).toBe('held');

describe('the launcher', { timeout: 60_000 }, () => {
  test('runs the program by its lasting name, and without it by the one that it had', async () => {
    const named = join(tree, 'opt/main.js');
    values = { ...values, namedMain: named };
    script(values.node, teller);
    expect(await launch(1).ended).toBe(0);
    mkdirSync(dirname(named));
    writeFileSync(named, '');
    rmSync(values.main);
    expect(await launch(1).ended).toBe(0);
    expect(output()).toBe(told(values.node) + told(values.node).replace(values.main, named));
  });

  test('runs the Node that the PATH named, and without it the one that it was', async () => {
    script(values.node, teller);
    expect(await launch(0).ended).toBe(0);
    expect(output()).toBe(told(values.node));
    script(values.named, teller);
    expect(await launch(0).ended).toBe(0);
    expect(output()).toBe(told(values.node) + told(values.named));
  });

  test('leaves with 0 when there is neither, and says why and what to do', async () => {
    const run = launch(0);
    expect(await run.ended).toBe(0);
    expect(run.said()).toContain(`Node.js, ${values.named} or ${values.node} does not exist.`);
    expect(run.said()).toContain('Run linuxkit-builder configure, then linuxkit-builder start.');
    expect(output()).toBeUndefined();
  });

  test('names the file of the job beside the command that unloads it, or it would be loaded again', async () => {
    const run = launch(0);
    await run.ended;
    expect(run.said()).toMatch(
      /run: launchctl bootout gui\/\d+\/(\S+), then delete ~\/Library\/LaunchAgents\/\1\.plist/,
    );
    values = { ...values, starts: 'boot' };
    const atBoot = launch(0);
    await atBoot.ended;
    expect(atBoot.said()).toMatch(
      /run: sudo launchctl bootout system\/(\S+), then delete \/Library\/LaunchDaemons\/\1\.plist/,
    );
  });

  test('runs the Node that it was where the name leads to one that is too old', async () => {
    script(values.named, 'exit 69');
    script(values.node, teller);
    const run = launch(0);
    expect(await run.ended).toBe(0);
    expect(output()).toBe(told(values.node));
    expect(run.said()).toContain(`${values.named} is too old; trying ${values.node}.`);
  });

  // Behaviour 210: If Node is too old, the program says in one sentence what is needed, and exits with 69. launchd
  // and systemd do not retry.
  test('leaves with 0 when both are too old, so that launchd does not try again for ever', async () => {
    for (const node of [values.named, values.node]) script(node, 'exit 69');
    const run = launch(0);
    expect(await run.ended).toBe(0);
    expect(run.said()).toContain(`The daemon was not started: ${values.node} is too old.`);
  });

  test('passes a stop on to a daemon that was only just forked', { timeout: 600_000 }, async () => {
    script(values.node, 'exec sleep 600');
    const state = join(values.state, 'nix-state');
    for (let round = 0; round < 200; round++) {
      removeTree(state);
      const run = launch(0);
      // It makes that directory right before it forks; a timer would be too coarse for what comes then.
      await comes(() => existsSync(state), 'its last step before the daemon');
      const momentMs = (8 * round) / 200;
      for (const begun = performance.now(); performance.now() - begun < momentMs;);
      run.child.kill('SIGTERM');
      await comes(() => run.child.exitCode !== null, `its end, told after ${momentMs} ms`);
      expect(run.child.exitCode).toBe(0);
      expect(readdirSync(state)).not.toContain('launcher.stopping');
    }
  });

  test('starts the daemon although an earlier run was killed while it stopped', async () => {
    mkdirSync(join(values.state, 'nix-state'));
    writeFileSync(join(values.state, 'nix-state/launcher.stopping'), '');
    script(values.node, teller);
    expect(await launch(0).ended).toBe(0);
    expect(output()).toBe(told(values.node));
  });

  test('starts the daemon although what an earlier run has left cannot be removed', async () => {
    mkdirSync(join(values.state, 'nix-state/launcher.stopping'), { recursive: true });
    script(values.node, teller);
    expect(await launch(0).ended).toBe(0);
    expect(output()).toBe(told(values.node));
  });

  test.each([
    ['KILL', 137],
    ['ABRT', 134],
    ['TRAP', 133],
  ])('says why a daemon that died of %s has probably died', async (signal, code) => {
    script(values.node, `kill -${signal} $$`);
    const run = launch(0);
    expect(await run.ended).toBe(code);
    expect(run.said()).toContain('memory');
    expect(output()).toContain('memory');
  });

  test('leaves with what the daemon left with otherwise', async () => {
    script(values.node, 'exit 70');
    expect(await launch(0).ended).toBe(70);
  });

  // Behaviour 196: If the program was uninstalled without `unconfigure`, its login job says so once at each login, in
  // its log or in systemd's journal, and exits. `doctor` of the next installation finds that job, and `doctor --fix`
  // repairs or removes it.
  test('says so where `start` looks, too', async () => {
    mkdirSync(join(values.state, 'nix-state'));
    script(values.node, teller);
    rmSync(values.main);
    expect(await launch(0).ended).toBe(0);
    expect(output()).toContain(`the program, ${values.main} does not exist`);
  });

  test('makes no state directory where there is none', async () => {
    script(values.node, teller);
    removeTree(values.state);
    const run = launch(0);
    expect(await run.ended).toBe(0);
    expect(run.said()).toContain(`the state directory ${values.state} does not exist`);
    expect(readIfThere(values.state)).toBeUndefined();
  });

  test('says it in its log where there is a folder for that, which begins anew beyond 1 MiB', async () => {
    const log = join(tree, 'Logs/our.log');
    mkdirSync(dirname(log));
    writeFileSync(log, 'x'.repeat(1024 * 1024));
    const run = launch(0);
    expect(await run.ended).toBe(0);
    expect(run.said()).toBe('');
    expect(readFileSync(log, 'utf8')).toMatch(
      /^\d{4}-\d\d-\d\d [\d:]+ Waiting at most 0 s .*\n.* not started/,
    );
  });

  test('waits for what comes back, as in an upgrade, and says so', async () => {
    const run = launch(600);
    await comes(() => run.said().includes('Waiting at most 600 s for Node.js'), 'a word');
    script(values.named, teller);
    expect(await run.ended).toBe(0);
    expect(output()).toBe(told(values.named));
  });

  test('waits for a volume until it is told to end, and says what it waits for', async () => {
    script(values.node, teller);
    script(join(tree, 'wait4path'), 'echo "asked for $1"; exec sleep 600');
    const main = '/Volumes/no such volume/main.js';
    values = { ...values, main, namedMain: main };
    const run = launch(0);
    await comes(() => run.said().includes('asked for'), 'wait4path');
    expect(run.said()).toMatch(/Waiting for \/Volumes\/no such volume to be mounted: .*main\.js/);
    expect(run.said()).toContain('asked for /Volumes/no such volume\n');
    run.child.kill('SIGTERM');
    expect(await run.ended).toBe(0);
    expect(run.said()).not.toContain('was not started');
  });

  test('tells what it waits for again, where the first signal was lost', async () => {
    script(values.node, teller);
    script(
      join(tree, 'wait4path'),
      "trap 'trap - TERM' TERM; echo waits; while :; do sleep 1; done",
    );
    const main = '/Volumes/no such volume/main.js';
    values = { ...values, main, namedMain: main };
    const run = launch(0);
    await comes(() => run.said().includes('waits'), 'wait4path');
    run.child.kill('SIGTERM');
    expect(await run.ended).toBe(0);
  });

  test('does not wait for ever for what is not on the volume that came', async () => {
    script(values.node, teller);
    script(join(tree, 'wait4path'), 'exit 0');
    const main = '/Volumes/no such volume/main.js';
    values = { ...values, main, namedMain: main };
    const run = launch(0);
    expect(await run.ended).toBe(0);
    expect(run.said()).toContain('The daemon was not started: the program, /Volumes/no such');
  });
});
