import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { label } from '../../src/service/launchd/launch-agent.ts';
import { run } from '../../src/system/process/child.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { until } from '../../src/system/time/wait.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { putNode } from '../rig/stand-in.ts';
import { launchdRig } from './rig.ts';
import { nothingToChange } from '../../src/setup/configure/configure.ts';
import { removeTree } from '../remove-tree.ts';

let program: BuiltProgram;
beforeAll(async () => {
  program = await buildProgram();
});
afterAll(() => program[Symbol.dispose]());

const comes = async (fact: () => boolean, what: string) =>
  expect(
    await until(fact, { clock: systemClock, everyMs: 5, timeoutMs: 60_000 }),
    `waited in vain: ${what}`,
  ).toBe('held');

/** Whether SIGTERM is no longer the death of that process: proc(5), SigCgt; elsewhere that it has begun is all that can be told. */
function heedsTerm(pid: number | undefined): boolean {
  if (pid === undefined || process.platform !== 'linux') return true;
  const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (BigInt(`0x${caught ?? '0'}`) & (1n << 14n)) !== 0n;
}

describe('with launchd', { timeout: 120_000 }, () => {
  test('from configure to unconfigure', async () => {
    await using rig = await launchdRig(program);
    const before = rig.snapshot();
    const configured = await rig.run('configure');
    expect(configured).toMatchObject({ code: 0 });
    expect(configured.out).toContain(`Wrote ${rig.agent.plist}: launchd starts`);
    expect(rig.launchd.job(label)).toBeUndefined();

    const started = await rig.run('start');
    expect(started.out).toMatch(/^Started the daemon through launchd \(pid \d+\)\.\n$/);
    expect(rig.status().daemon).toBe('alive');
    expect((await rig.run('start')).out).toContain('is already running');
    expect((await rig.run('status', '--json')).out).toContain('"running":true');

    const stopped = await rig.run('stop');
    expect(stopped).toMatchObject({ code: 0 });
    expect(stopped.out).toMatch(/^Stopped\. launchd will start it again at your next login/);
    expect(rig.launchd.job(label)).toMatchObject({ state: 'not running', lastExit: 0, runs: 1 });

    expect((await rig.run('start')).out).toContain('through launchd');
    expect((await rig.run('restart')).out).toMatch(/^Restarting the guest/);
    expect((await rig.run('unconfigure', '--purge', '--yes')).code).toBe(0);
    expect(rig.launchd.job(label)).toBeUndefined();
    expect(rig.snapshot()).toEqual(before);
  });

  test('a crash is mended and a bad configuration is a state, not an end', async () => {
    await using rig = await launchdRig(program);
    await rig.run('configure');
    await rig.run('start');
    const job = rig.launchd.job(label);
    const first = rig.status();
    if (first.daemon !== 'alive') throw new Error('it runs');
    process.kill(first.status.daemon.pid, 'SIGKILL');
    await comes(() => job?.runs === 2, 'a second run');
    await comes(() => rig.status().daemon === 'alive', 'a daemon');
    writeFileSync(rig.layout.config, '{"cpus": "many"}');
    const second = rig.status();
    if (second.daemon !== 'alive') throw new Error('it runs');
    process.kill(second.status.daemon.pid, 'SIGKILL');
    await comes(() => {
      const now = rig.status();
      // The one that was killed may be there for another moment, and have failed for want of an image.
      const isNext = now.daemon === 'alive' && now.status.daemon.pid !== second.status.daemon.pid;
      return isNext && now.status.phase === 'failed';
    }, 'phase failed');
    expect(job?.runs).toBe(3);
    expect(job?.state).toBe('running');
    expect((await rig.run('status')).out).toContain('cpus = "many"');
  });

  test('stopped at 20 moments of its start, it stays stopped', { timeout: 600_000 }, async () => {
    await using rig = await launchdRig(program);
    await rig.run('configure');
    await rig.run('start');
    await rig.run('stop');
    const job = rig.launchd.job(label);
    if (job === undefined) throw new Error('it is loaded');
    // From the launcher's first moments to a daemon that is up, as long as that takes here.
    job.start();
    await comes(() => heedsTerm(job.pid), 'its trap');
    const begun = performance.now();
    await comes(() => rig.status().daemon === 'alive', 'a daemon');
    const startMs = performance.now() - begun;
    job.terminate();
    await comes(() => job.pid === undefined, 'its end');
    for (let round = 0; round < 20; round++) {
      const runs = job.runs + 1;
      job.start();
      // A signal before its first lines is the death of any script.
      await comes(() => heedsTerm(job.pid), 'its trap');
      const momentMs = (startMs * round) / 19;
      await systemClock.sleep(momentMs);
      job.terminate();
      await comes(() => job.pid === undefined, 'its end');
      expect([job.state, job.lastExit, job.lastSignal], `after ${momentMs} ms`).toEqual([
        'not running',
        0,
        undefined,
      ]);
      expect(job.runs).toBe(runs);
      expect(rig.status().daemon).toBe('gone');
    }
  });

  test('what the launcher leaves when it is killed is ended by launchd, and comes back once', async () => {
    await using rig = await launchdRig(program);
    await rig.run('configure');
    await rig.run('start');
    const job = rig.launchd.job(label);
    const before = rig.status();
    job?.kill('SIGKILL');
    await comes(() => job?.runs === 2, 'a second run');
    await comes(() => {
      const now = rig.status();
      return (
        now.daemon === 'alive' &&
        before.daemon === 'alive' &&
        now.status.daemon.pid !== before.status.daemon.pid
      );
    }, 'another daemon');
    expect((await rig.run('stop')).code).toBe(0);
    expect(rig.status().daemon).toBe('gone');
  });

  test('stop ends it also while launchd waits to start it again', async () => {
    await using rig = await launchdRig(program, { throttleSecondMs: 60_000 });
    await rig.run('configure');
    await rig.run('start');
    const job = rig.launchd.job(label);
    job?.kill('SIGKILL');
    await comes(() => job?.state === 'spawn scheduled', 'a wait');
    expect((await rig.run('stop')).code).toBe(0);
    expect(rig.launchd.job(label)).toBeUndefined();
    expect(rig.status().daemon).toBe('gone');
  });

  test('a changed file is loaded anew by restart', async () => {
    await using rig = await launchdRig(program);
    await rig.run('configure');
    await rig.run('start');
    appendFileSync(rig.agent.plist, '<!-- another -->\n');
    expect((await rig.run('restart')).out).toBe('Restarting the daemon through launchd.\n');
    expect(rig.launchd.calls.filter((call) => call.startsWith('bootstrap'))).toHaveLength(2);
    await comes(() => rig.status().daemon === 'alive', 'a daemon');
  });

  test('another launcher is loaded anew by restart, and by start', async () => {
    await using rig = await launchdRig(program);
    await rig.run('configure');
    await rig.run('start');
    const loads = () => rig.launchd.calls.filter((call) => call.startsWith('bootstrap ')).length;
    appendFileSync(rig.agent.launcher, '# another\n');
    expect((await rig.run('restart')).out).toBe('Restarting the daemon through launchd.\n');
    expect(loads()).toBe(2);
    await rig.run('stop');
    appendFileSync(rig.agent.launcher, '# yet another\n');
    expect((await rig.run('start')).out).toContain('through launchd');
    expect(loads()).toBe(3);
    await rig.run('stop');
    expect((await rig.run('start')).out).toContain('through launchd');
    expect(loads()).toBe(3);
  });

  test("an upgrade of Node's takes its folder away, and its name on the PATH leads to the next", async () => {
    const brew = mkdtempSync(join(tmpdir(), 'brew-'));
    const cellar = (version: string) => join(brew, 'Cellar/node', version);
    mkdirSync(join(cellar('22.1.0'), 'bin'), { recursive: true });
    mkdirSync(join(brew, 'bin'));
    const node = join(cellar('22.1.0'), 'bin/node');
    putNode(node);
    const link = (version: string) => {
      rmSync(join(brew, 'bin/node'), { force: true });
      symlinkSync(`../Cellar/node/${version}/bin/node`, join(brew, 'bin/node'));
    };
    link('22.1.0');
    try {
      await using rig = await launchdRig(program, { node, path: join(brew, 'bin') });
      await rig.run('configure');
      await rig.run('start');
      const job = rig.launchd.job(label);
      const before = rig.daemonPid();
      renameSync(cellar('22.1.0'), cellar('22.2.0'));
      link('22.2.0');
      job?.kill('SIGKILL');
      await comes(() => job?.runs === 2, 'a second run');
      await comes(() => ![undefined, before].includes(rig.daemonPid()), 'another daemon');
      expect(readFileSync(rig.agent.launcher, 'utf8')).toContain(`named='${brew}/bin/node'\n`);
    } finally {
      removeTree(brew);
    }
  });

  test("another's job of that name gives way, and its file comes back", async () => {
    await using rig = await launchdRig(program);
    const theirs = `<plist version="1.0"><dict><key>Label</key><string>${label}</string>
      <key>ProgramArguments</key><array><string>/bin/sleep</string><string>600</string></array>
      <key>RunAtLoad</key><true/></dict></plist>\n`;
    mkdirSync(dirname(rig.agent.plist), { recursive: true });
    writeFileSync(rig.agent.plist, theirs, { mode: 0o644 });
    const before = rig.snapshot();
    const launchctl = join(rig.launchd.bin, 'launchctl');
    await run(launchctl, ['bootstrap', `gui/${process.getuid?.() ?? 0}`, rig.agent.plist]);
    const old = rig.launchd.job(label);
    expect(old?.state).toBe('running');
    expect((await rig.run('configure')).out).toContain('It replaces your file');
    expect((await rig.run('start')).out).toContain('through launchd');
    expect(old?.pid).toBeUndefined();
    expect(rig.launchd.job(label)?.keys.ProgramArguments).toEqual([rig.agent.launcher]);
    // Without receipts our own file must not pass for another's.
    rmSync(rig.layout.receipts);
    const again = await rig.run('configure', '--cpus', '1');
    expect(again.out).not.toContain('It replaces');
    writeFileSync(rig.agent.plist, theirs);
    expect((await rig.run('configure')).out).toContain('It replaces your file');
    const removed = await rig.run('unconfigure', '--purge', '--yes');
    expect(removed.out).toContain(`Restored ${rig.agent.plist} as it was before`);
    expect(rig.launchd.job(label)).toBeUndefined();
    expect(readFileSync(rig.agent.plist, 'utf8')).toBe(theirs);
    expect(Object.keys(before).filter((name) => !(name in rig.snapshot()))).toEqual([]);
  });

  test("unconfigure leaves a job that is another directory's by now", async () => {
    await using rig = await launchdRig(program);
    await rig.run('configure');
    await rig.run('start');
    for (const path of [rig.agent.launcher, rig.agent.plist]) {
      const text = readFileSync(path, 'utf8');
      writeFileSync(path, text.replaceAll(rig.layout.root, join(rig.tree, 'b')));
    }
    expect((await rig.run('unconfigure')).code).toBe(0);
    expect(rig.launchd.job(label)).toBeDefined();
    expect([existsSync(rig.agent.launcher), existsSync(rig.agent.plist)]).toEqual([true, true]);
  });

  test('a state directory whose volume comes late is waited for, and the log of that goes with the job', async () => {
    await using rig = await launchdRig(program);
    const logs = dirname(rig.agent.log);
    mkdirSync(logs, { recursive: true });
    const before = rig.snapshot();
    await rig.run('configure');
    await rig.run('start');
    const job = rig.launchd.job(label);
    await rig.run('stop');
    renameSync(rig.layout.root, `${rig.layout.root} of a volume`);
    job?.start();
    const said = () => (existsSync(rig.agent.log) ? readFileSync(rig.agent.log, 'utf8') : '');
    await comes(() => said().includes(`for the state directory ${rig.layout.root}`), 'a word');
    renameSync(`${rig.layout.root} of a volume`, rig.layout.root);
    await comes(() => rig.status().daemon === 'alive', 'a daemon');
    expect((await rig.run('configure')).out).toBe(`${nothingToChange}\n`);
    const removed = await rig.run('unconfigure', '--purge', '--yes');
    expect(removed.out).toContain(`Deleted ${rig.agent.log}`);
    expect(rig.snapshot()).toEqual(before);
  });

  test('--no-autostart takes it back', async () => {
    await using rig = await launchdRig(program);
    await rig.run('configure');
    await rig.run('start');
    const dropped = await rig.run('configure', '--no-autostart');
    expect(dropped.out).toContain(`Deleted ${rig.agent.plist}`);
    expect(rig.launchd.job(label)).toBeUndefined();
    expect(existsSync(rig.agent.launcher)).toBe(false);
    await rig.run('configure');
    expect(existsSync(rig.agent.plist)).toBe(false);
    expect((await rig.run('start')).out).toMatch(/^Started the daemon \(pid/);
    expect((await rig.run('stop')).out).toBe('Stopped.\n');
  });
});

describe('launchd in odd moods', { timeout: 120_000 }, () => {
  test('an old launchctl gets old commands', async () => {
    await using rig = await launchdRig(program, { generation: 'old' });
    await rig.run('configure');
    expect((await rig.run('start')).out).toContain('through launchd');
    expect((await rig.run('stop')).code).toBe(0);
    expect(rig.launchd.job(label)?.state).toBe('not running');
    expect((await rig.run('start')).out).toContain('through launchd');
    expect((await rig.run('unconfigure', '--no-root')).code).toBe(0);
    expect(rig.launchd.job(label)).toBeUndefined();
  });

  test('switched off by the user, it is enabled again by start', async () => {
    await using rig = await launchdRig(program);
    rig.launchd.disable(label);
    await rig.run('configure');
    expect((await rig.run('start')).code).toBe(0);
    expect(rig.launchd.calls.findIndex((call) => call.startsWith('enable'))).toBeLessThan(
      rig.launchd.calls.findIndex((call) => call.startsWith('bootstrap')),
    );
  });

  test('a bootstrap that fails with 5 is tried again', async () => {
    await using rig = await launchdRig(program, { sulks: 1 });
    await rig.run('configure');
    expect((await rig.run('start')).out).toContain('through launchd');
  });

  test('without a session on the screen the one of every login is used, and without any the daemon runs alone', async () => {
    await using rig = await launchdRig(program, { domains: [`user/${process.getuid?.() ?? 0}`] });
    await rig.run('configure');
    expect((await rig.run('start')).out).toContain('through launchd');
    await using bare = await launchdRig(program, { domains: [] });
    await bare.run('configure');
    const started = await bare.run('start');
    expect(started.err).toContain('no session to run the job in');
    expect(started.out).toMatch(/^Started the daemon \(pid/);
    expect((await bare.run('stop')).out).toBe('Stopped.\n');
  });

  test('a file that launchd refuses is named, with the command that mends it', async () => {
    await using rig = await launchdRig(program, { throttleSecondMs: 1 });
    await rig.run('configure');
    chmodSync(rig.agent.plist, 0o666);
    const refused = await rig.run('start');
    expect(refused.code).toBe(69);
    expect(refused.err).toContain('is writable by other users');
    expect(refused.err).toContain(`chmod 644 '${rig.agent.plist}'`);
    expect((await rig.run('status')).out).toContain("launchd has not loaded the daemon's job.\n");
    rmSync(rig.agent.plist);
    mkdirSync(dirname(rig.agent.plist), { recursive: true });
    const missing = await rig.run('start');
    expect(missing.err).toContain(`${rig.agent.plist} does not exist`);
    expect(missing.err).toContain('linuxkit-builder configure');
  });
});
