import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { identify, isAlive } from '../../src/system/process/process.ts';
import { fact } from './command.ts';
import { booting, firstFailure, HyperkitRig } from './hyperkit-rig.ts';
import type { BuilderRig } from './rig.ts';
import { saying } from '../fakes/saying.ts';

let hyperkit: HyperkitRig;
beforeAll(async () => {
  hyperkit = await HyperkitRig.create();
});
afterAll(() => hyperkit[Symbol.dispose]());

describe('HyperKit ends', () => {
  test.for([
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
  ] as const)('%s: %s, and the daemon %s', async ([end, kind, then], context) => {
    await using rig = await hyperkit.builder(context);
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
    expect(failure.message).toContain('code 0');
    expect(failure.message).toContain('Failed to listen on ethernet socket');
    expect(rig.log('seen').some(({ name }) => name === 'vm-started')).toBe(false);
  });

  // Behaviour 43: A network program that does not work is replaced by another one that is installed, unless `network`
  // names it. It is tried again after a reboot of the host or an upgrade of the program.
  test('does not serve, and was not asked for by its name: the next attempt has the other one', async (context) => {
    await using rig = await hyperkit.builder(context, { network: undefined });
    hyperkit.tell('vpnkit', { bindFails: true });
    rig.begin('daemon');
    expect((await firstFailure(rig)).hint).toContain(' gvproxy.');
    const ready = await rig.reaches('ready');
    expect(ready).toMatchObject({ attempt: 2, network: 'gvproxy' });
    expect(ready.rejected).toEqual([saying('vpnkit: ')]);
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
    expect(rig.log('seen').some(({ name }) => name === 'vm-started')).toBe(false);
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
});

describe('what was left behind', () => {
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

  test('`stop` without a daemon ends both', async (context) => {
    await using rig = await hyperkit.builder(context);
    await rig.up();
    const { daemon } = await rig.reaches('ready');
    process.kill(daemon.pid, 'SIGKILL');
    await fact('the daemon is gone', () => !isAlive(daemon));
    expect((await rig.cli('stop')).stdout).toContain('that an earlier daemon had left behind');
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

describe('what is in the way', () => {
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
