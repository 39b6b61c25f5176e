import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isAlive } from '../../src/system/process/process.ts';
import { fact } from './command.ts';
import { booting, firstFailure, HyperkitRig, losses } from './hyperkit-rig.ts';
import { testImage } from './rig.ts';

let hyperkit: HyperkitRig;
beforeAll(async () => {
  hyperkit = await HyperkitRig.create();
});
afterAll(() => hyperkit[Symbol.dispose]());

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

test('refuses HyperKit what it had promised: HyperKit asks for ever, and is not waited for so long', async (context) => {
  await using rig = await hyperkit.builder(context);
  hyperkit.tell('vpnkit', { refuse: 'No IP addresses available.', refuseAfter: 1 });
  rig.begin('daemon');
  const failure = await firstFailure(rig);
  expect(failure.kind).toBe('vm-stuck');
  expect(rig.log('child-says').some(({ text }) => String(text).includes('No IP addresses'))).toBe(
    true,
  );
  await rig.untilStatus('another attempt', ({ attempt }) => (attempt ?? 0) >= 2);
});

test.for(['init', 'ready'])('dies after %s: both are begun anew', async (stage, context) => {
  await using rig = await hyperkit.builder(context);
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

test.for(['hyperkit', 'qemu'])(
  'gvproxy dies under %s: both are begun anew',
  async (vm, context) => {
    await using rig = await hyperkit.builder(context, { vm, network: 'gvproxy' });
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
  },
);

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
  expect((await rig.cli('status')).stdout).toContain('1 byte too long');
});

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended with another.
  }
}
