import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { identify, isAlive } from '../../src/system/process.ts';
import { fact } from './command.ts';
import { HyperkitRig } from './hyperkit-rig.ts';
import { testImage, type BuilderRig } from './rig.ts';

let hyperkit: HyperkitRig;
beforeAll(async () => {
  hyperkit = await HyperkitRig.create();
});
afterAll(() => hyperkit[Symbol.dispose]());

/** The first failure that the daemon told. */
const losses = (rig: BuilderRig) =>
  rig.log('phase').filter((line) => line['failure'] !== undefined);

/** The first one, or the first after so many: an emulated guest may have crashed on its way to be ready. */
const firstFailure = async (rig: BuilderRig, after = 0) =>
  fact(
    'a failure',
    () =>
      losses(rig)[after]?.['failure'] as
        { kind: string; message: string; hint: string } | undefined,
  );

const booting = async (rig: BuilderRig, stage = 'init') =>
  fact(`stage ${stage}`, () => rig.log('seen').some(({ name }) => name === stage));

describe('HyperKit ends', () => {
  test.each([
    [0, 'guest-powered-off', 'retries'],
    [1, 'vm-refused', 'retries'],
    [2, 'guest-rebooted', 'retries'],
    [3, 'guest-triple-fault', 'retries'],
    [64, 'vm-usage', 'gives up'],
    [100, 'vm-exited', 'retries'],
    ['SIGABRT', 'vm-aborted', 'gives up'],
    ['SIGSEGV', 'vm-usage', 'gives up'],
    ['SIGTERM', 'vm-terminated', 'retries'],
    ['SIGKILL', 'vm-killed', 'retries'],
  ] as const)('%s: %s, and the daemon %s', async (end, kind, then) => {
    await using rig = await hyperkit.builder({ onTestFailed: () => undefined } as never);
    rig.begin('daemon');
    await fact('the VM', () => rig.log('seen').some(({ name }) => name === 'vm-answers'));
    const told = performance.now();
    hyperkit.tell('hyperkit', { end });
    expect((await firstFailure(rig)).kind).toBe(kind);
    // By its end itself, and not by a look at its health, which would take 5 s at least; a busy machine may take one or two.
    expect(performance.now() - told).toBeLessThan(4_000);
    if (then === 'gives up') await rig.untilStatus('failed', ({ phase }) => phase === 'failed');
    else await rig.untilStatus('another attempt', ({ attempt }) => (attempt ?? 0) >= 2);
  });

  test('2 with a panic on its console is a panic', async (context) => {
    await using rig = await hyperkit.builder(context);
    rig.begin('daemon');
    await rig.reaches('ready');
    const before = losses(rig).length;
    void rig.cli('ssh', '--root', '--', 'echo c >/proc/sysrq-trigger');
    const failure = await firstFailure(rig, before);
    expect(failure.kind).toBe('guest-panicked');
    expect(failure.message).toContain('sysrq');
    await rig.untilStatus('another attempt', ({ attempt }) => (attempt ?? 0) >= 2);
  });

  test('because its disk is held by a process that is not ours', async (context) => {
    await using rig = await hyperkit.builder(context);
    writeFileSync(rig.layout.disk, '');
    rig.run(['flock', '-x', rig.layout.disk, 'sleep', '1000']);
    rig.begin('daemon');
    const failure = await firstFailure(rig);
    // It is found before HyperKit would say "Could not lock backing file".
    expect(failure.kind).toBe('disk-locked');
    expect(failure.message).toContain(rig.layout.disk);
    expect(rig.log('seen').some(({ name }) => name === 'vm-started')).toBe(false);
  });
});

describe('the network', () => {
  test('fails to listen, and exits with 0', async (context) => {
    await using rig = await hyperkit.builder(context);
    hyperkit.tell('vpnkit', { bindFails: true });
    rig.begin('daemon');
    const failure = await firstFailure(rig);
    expect(failure.kind).toBe('network-exited');
    expect(failure.message).toContain('exited with code 0');
    expect(failure.message).toContain('Failed to listen on ethernet socket');
    expect(rig.log('seen').some(({ name }) => name === 'vm-started')).toBe(false);
  });

  // Behaviour 12: A network program that does not serve, and that nobody has asked for by its name, is followed by another one that
  // is installed, for one boot of the host and one build of the program.
  test('does not serve, and was not asked for by its name: the next attempt has the other one', async (context) => {
    await using rig = await hyperkit.builder(context, { network: undefined });
    hyperkit.tell('vpnkit', { bindFails: true });
    rig.begin('daemon');
    expect((await firstFailure(rig)).hint).toContain('The next attempt is made with gvproxy.');
    const ready = await rig.reaches('ready');
    expect(ready).toMatchObject({ attempt: 2, network: 'gvproxy' });
    expect(ready.rejected).toEqual([expect.stringContaining('vpnkit: ')]);
    expect((await rig.cli('status')).stdout).toMatch(/not used +vpnkit: /);
  });

  test('refuses the address that the guest has to have', async (context) => {
    await using rig = await hyperkit.builder(context);
    hyperkit.tell('vpnkit', { refuse: 'Preferred IP address 192.168.65.3 already used.' });
    rig.begin('daemon');
    const failure = await firstFailure(rig);
    expect(failure.kind).toBe('network-refused');
    expect(failure.message).toContain('192.168.65.3 already used');
    expect(rig.log('seen').some(({ name }) => name === 'vm-started')).toBe(false);
  });

  test('accepts and says nothing', async (context) => {
    await using rig = await hyperkit.builder(context);
    hyperkit.tell('vpnkit', { silentAfter: 'accept' });
    rig.begin('daemon');
    const failure = await firstFailure(rig);
    expect(failure.kind).toBe('network-silent');
    expect(failure.message).toContain('it accepts and then says nothing');
    expect(rig.log('seen').some(({ name }) => name === 'vm-started')).toBe(false);
  });

  test('refuses HyperKit what it had promised: HyperKit asks for ever, and is not waited for so long', async (context) => {
    await using rig = await hyperkit.builder(context);
    hyperkit.tell('vpnkit', { refuse: 'No IP addresses available.', refuseAfter: 1 });
    rig.begin('daemon');
    const failure = await firstFailure(rig);
    expect(failure.kind).toBe('vm-stuck');
    expect(failure.message).toContain('it hangs at its network or at its disk');
    expect(rig.log('child-says').some(({ text }) => String(text).includes('No IP addresses'))).toBe(
      true,
    );
    await rig.untilStatus('another attempt', ({ attempt }) => (attempt ?? 0) >= 2);
  });

  test('shakes hands slowly, and that is all right', async (context) => {
    await using rig = await hyperkit.builder(context);
    hyperkit.tell('vpnkit', { slowMs: 800 });
    rig.begin('daemon');
    await booting(rig);
  });

  test('dies before the handshake is over', async (context) => {
    await using rig = await hyperkit.builder(context);
    hyperkit.tell('vpnkit', { silentAfter: 'init' });
    rig.begin('daemon');
    const pid = await fact('its pid', () => pidIn(rig, 'vpnkit'));
    process.kill(pid, 'SIGKILL');
    const failure = await firstFailure(rig);
    expect(failure.kind).toBe('network-exited');
    expect(failure.message).toContain('SIGKILL');
  });

  test.each(['init', 'ready'])('dies after %s: both are begun anew', async (stage) => {
    await using rig = await hyperkit.builder({ onTestFailed: () => undefined } as never);
    rig.begin('daemon');
    await booting(rig, stage);
    const { networkPid, vmPid } = await rig.untilStatus(
      'pids',
      (status) => status.vmPid !== undefined,
    );
    const before = losses(rig).length;
    const killed = Date.now();
    process.kill(networkPid ?? 0, 'SIGKILL');
    expect((await firstFailure(rig, before)).kind).toBe('network-exited');
    const decided = losses(rig)[before]?.time ?? '';
    // As soon as it is dead: a health that is looked at every 5 s would find it later.
    expect(Date.parse(decided) - killed).toBeLessThan(2_000);
    const next = await rig.untilStatus(
      'another VM',
      (status) => status.vmPid !== undefined && status.vmPid !== vmPid,
    );
    expect(next.networkPid).not.toBe(networkPid);
    if (stage === 'ready') expect(rig.console()).toContain('stage=stopped');
  });
});

test.each(['hyperkit', 'qemu'])('gvproxy dies under %s: both are begun anew', async (vm) => {
  const silent = { onTestFailed: () => undefined } as never;
  await using rig = await hyperkit.builder(silent, { vm, network: 'gvproxy' });
  rig.begin('daemon');
  const { networkPid, vmPid } = await rig.reaches('ready');
  const before = losses(rig).length;
  process.kill(networkPid ?? 0, 'SIGKILL');
  const failure = await firstFailure(rig, before);
  expect(failure.kind).toBe('network-exited');
  expect(failure.message).toContain('gvproxy');
  const next = await rig.untilStatus(
    'another VM',
    (status) => status.vmPid !== undefined && status.vmPid !== vmPid,
  );
  expect(next.networkPid).not.toBe(networkPid);
});

describe('what was left behind', () => {
  test('files of a HyperKit that was killed stop nobody, and strangers are left alone', async (context) => {
    await using rig = await hyperkit.builder(context);
    await rig.cli('start');
    await booting(rig);
    const { daemon } = await rig.untilStatus('booting', ({ phase }) => phase === 'booting');
    for (const { pid } of rig.processes()) killIfThere(pid);
    await fact('all are gone', () => !isAlive(daemon) && rig.processes().length === 0);
    expect(existsSync(rig.layout.vsock)).toBe(true);
    expect(existsSync(rig.layout.vpnkitSocket)).toBe(true);
    // The pid in the stale file is somebody else's now.
    const stranger = rig.run(['sleep', '1000']);
    for (const name of ['hyperkit', 'vpnkit']) {
      writeFileSync(rig.layout.pid(name), `${stranger.pid}\n`);
      const record = JSON.parse(readFileSync(rig.layout.pidRecord(name), 'utf8')) as object;
      writeFileSync(rig.layout.pidRecord(name), JSON.stringify({ ...record, pid: stranger.pid }));
    }
    rig.begin('daemon');
    await rig.reaches('ready');
    expect(stranger.end).toBeUndefined();
  });

  test('a HyperKit and a VPNKit that live are ended first, in order', async (context) => {
    await using rig = await hyperkit.builder(context);
    await rig.up();
    const { daemon, vmPid = 0, networkPid = 0 } = await rig.reaches('ready');
    process.kill(daemon.pid, 'SIGKILL');
    await fact('the daemon is gone', () => !isAlive(daemon));
    expect(identify(vmPid)?.program).toBe('hyperkit');
    expect(identify(networkPid)?.program).toBe('vpnkit');
    rig.begin('daemon');
    await rig.untilStatus('another VM', (status) => (status.vmPid ?? vmPid) !== vmPid);
    expect(identify(vmPid)).toBeUndefined();
    expect(identify(networkPid)).toBeUndefined();
    const ended = rig.log('leftover-ended').map(({ what, by }) => [what, by]);
    expect(ended).toEqual([
      ['vm', 'asking'],
      ['network', 'SIGTERM'],
    ]);
    // The orphan's last words, which no daemon read, are in the log.
    expect(rig.console()).toContain('stage=stopped');
  });

  test('a HyperKit without a record is asked too, for as long as its guest takes', async (context) => {
    await using rig = await hyperkit.builder(context);
    await rig.up();
    const { daemon } = await rig.reaches('ready');
    process.kill(daemon.pid, 'SIGKILL');
    await fact('the daemon is gone', () => !isAlive(daemon));
    rmSync(rig.layout.pidRecord('hyperkit'));
    rmSync(rig.layout.pid('hyperkit'));
    rig.begin('daemon');
    const [ended] = await fact('its end', () => {
      const all = rig.log('leftover-ended');
      return all.length > 0 ? all : undefined;
    });
    expect(ended).toMatchObject({ what: 'vm', by: 'asking' });
    await fact('its last words', () => rig.console().includes('stage=stopped'));
  });

  test('`stop` without a daemon ends both', async (context) => {
    await using rig = await hyperkit.builder(context);
    await rig.up();
    const { daemon } = await rig.reaches('ready');
    process.kill(daemon.pid, 'SIGKILL');
    await fact('the daemon is gone', () => !isAlive(daemon));
    expect((await rig.cli('stop')).stdout).toContain('a VM that was left behind was ended');
    expect(rig.processes()).toEqual([]);
    const { layout } = rig;
    for (const path of [
      layout.vsock,
      layout.agent,
      layout.vpnkitSocket,
      layout.pid('hyperkit'),
      layout.pid('vpnkit'),
    ])
      expect(existsSync(path), path).toBe(false);
  });
});

test('a boot that wraps the ring several times: nothing is lost, nothing comes twice', async (context) => {
  await using rig = await hyperkit.builder(context);
  const bundle = join(rig.dir, 'noisy');
  for (const part of ['kernel', 'initrd.img'])
    symlinkSync(`${testImage()}-${part}`, `${bundle}-${part}`);
  const quiet = readFileSync(`${testImage()}-cmdline`, 'utf8').trim().replace('quiet ', '');
  writeFileSync(
    `${bundle}-cmdline`,
    `${quiet} ignore_loglevel initcall_debug dyndbg="file drivers/base/* +p"`,
  );
  const config = JSON.parse(readFileSync(rig.layout.config, 'utf8')) as object;
  writeFileSync(rig.layout.config, JSON.stringify({ ...config, bundle }));
  rig.begin('daemon');
  await rig.reaches('ready');
  const console = rig.console();
  expect(console.length).toBeGreaterThan(3 * 65_536);
  expect(console).not.toContain('bytes lost');
  // What is called returns, once.
  const called = [...console.matchAll(/\] calling {2}(\S+) @ 1\b/g)].map(([, name]) => name);
  const returned = [...console.matchAll(/initcall (\S+) returned \S+ after/g)].map(
    ([, name]) => name,
  );
  expect(called.length).toBeGreaterThan(500);
  expect(returned.filter((name) => called.includes(name)).sort()).toEqual(called.sort());
});

describe('what is in the way', () => {
  test('the state directory at the limit of length, and a byte over it', async (context) => {
    const depth = 75 - '/tmp/lk-xxxxxx/'.length;
    {
      await using rig = await hyperkit.builder(context, {}, { name: 'd'.repeat(depth) });
      expect(Buffer.byteLength(rig.layout.root)).toBe(75);
      rig.begin('daemon');
      await rig.reaches('ready');
      expect((await rig.cli('ssh', '--', 'exit 7')).end).toBe(7);
    }
    await using rig = await hyperkit.builder(context, {}, { name: 'd'.repeat(depth + 1) });
    rig.begin('daemon');
    const failure = await firstFailure(rig);
    expect(failure.kind).toBe('vm-would-refuse');
    await rig.untilStatus('failed', ({ phase }) => phase === 'failed');
    expect((await rig.cli('status')).stdout).toContain('1 bytes too long');
  });

  test("the door's port is taken", async (context) => {
    await using rig = await hyperkit.builder(context);
    const other = createServer().listen(rig.port, '127.0.0.1');
    rig.begin('daemon');
    expect((await firstFailure(rig)).kind).toBe('door-port-taken');
    expect(rig.log('seen')).toEqual([]);
    other.close();
    await booting(rig);
  });

  test('a second daemon at the same moment: one of them runs', async (context) => {
    await using rig = await hyperkit.builder(context);
    const both = [rig.begin('daemon'), rig.begin('daemon')];
    const loser = await Promise.race(both.map(async (each) => (await each.ended, each)));
    expect(loser.end).toBe(75);
    await booting(rig);
    const vpnkits = rig.processes().filter(({ command }) => command.includes('bin/vpnkit --eth'));
    expect(vpnkits).toHaveLength(1);
  });
});

function pidIn(rig: BuilderRig, name: string): number | undefined {
  const path = rig.layout.pid(name);
  return existsSync(path) ? Number(readFileSync(path, 'utf8')) : undefined;
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended with another.
  }
}
