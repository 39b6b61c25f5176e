import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fact } from './command.ts';
import { addMonitor } from './monitor.ts';
import { BuilderRig } from './rig.ts';

/** A build may keep every core busy for minutes; in a test that runs at every change, for less. */
const busySeconds = Number(process.env['LINUXKIT_TEST_BUSY_SECONDS'] ?? '20');

// Behaviour 80: A guest counts as frozen if it shows no sign of life (from its agent, sshd, console, disk or
// connections) for 20 s. The daemon notices this within 30 s, or within 40 s while nobody uses the guest, saves the
// guest's console and state in `nix-state/incidents`, and restarts the guest.
// Behaviour 81: A busy guest is reported as `slow` at worst. It is never restarted for being busy.
test(
  'a guest that freezes is found within 40 s, kept as evidence and started again; a busy one is left alone',
  async (context) => {
    await using rig = await BuilderRig.create({ context });
    const qmp = addMonitor(rig);
    const started = await rig.cli('start');
    expect(started.said).toContain('Started the daemon');

    for (const [how, freeze] of [
      ['the VM process is stopped', () => process.kill(vmOf(rig), 'SIGSTOP')],
      ["all of the guest's userland is stopped in the midst of writing", () => stopUserland(rig)],
    ] as const) {
      const { vmPid } = await rig.reaches('ready');
      await freeze();
      const begun = performance.now();
      const status = await rig.untilStatus(`given up: ${how}`, ({ phase }) => phase === 'stopping');
      expect(performance.now() - begun, how).toBeLessThan(40_000);
      expect(status.because?.kind, how).toBe('guest-frozen');
      await rig.untilStatus('another VM', (now) => now.phase === 'ready' && now.vmPid !== vmPid);
    }
    const incidents = readdirSync(rig.layout.incidents);
    expect(incidents).toHaveLength(2);
    for (const name of incidents) {
      const folder = join(rig.layout.incidents, name);
      expect(readFileSync(join(folder, 'console.txt'), 'utf8')).toContain('stage=sshd');
      expect(JSON.parse(readFileSync(join(folder, 'state.json'), 'utf8'))).toMatchObject({
        failure: { kind: 'guest-frozen' },
      });
    }

    // A pause is no freeze; the guest's clock stood still in it and is right again before anybody is let in.
    const { vmPid } = await rig.reaches('ready');
    await qmp('stop');
    await rig.reaches('paused');
    const pausedAt = Date.now();
    await fact('a frozen one would be given up', () => Date.now() - pausedAt > 40_000, 50_000);
    expect(await rig.reaches('paused')).toMatchObject({ vmPid });
    await qmp('cont');
    await rig.reaches('ready');
    const before = Date.now();
    const seconds = (await rig.cli('ssh', '--', 'date +%s')).stdout.trim();
    // Whole seconds: up to one is cut off.
    const guest = Number(seconds) * 1000;
    expect(guest).toBeGreaterThan(before - 3_000);
    expect(guest).toBeLessThan(Date.now() + 2_000);

    // As compilers do: processes without end that read, compute and write.
    const loop = (n: number) =>
      `while :; do cat /usr/bin/* /usr/lib/*/*.so* | gzip | sha256sum; done >/tmp/loop-${n} 2>&1 &`;
    const loops = Array.from({ length: 8 }, (_, n) => loop(n)).join(' ');
    const busy = rig.begin('ssh', '--', `${loops} wait`);
    const busyUntil = Date.now() + busySeconds * 1000;
    await fact('it was busy for long', () => Date.now() > busyUntil, busySeconds * 1000 + 10_000);
    expect(busy.end).toBeUndefined();
    expect(await rig.reaches('ready')).toMatchObject({ vmPid });
    expect(rig.log('phase').filter(({ phase }) => phase === 'starting')).toHaveLength(3);
    await busy.kill();
    expect((await rig.cli('stop')).end).toBe(0);
    await rig.leavesNothing();
  },
  300_000 + busySeconds * 1000,
);

/** The kernel goes on: its last writes, of which there are many, are signs of life. It begins when nobody is logged in. */
async function stopUserland(rig: BuilderRig): Promise<void> {
  const copies = 'while :; do rm -rf /nix/tmp; cp -a /usr/bin /nix/tmp; done';
  const stop = 'while pidof sshd-session; do :; done; kill -STOP -1';
  const script = `for each in '${copies}' '${stop}'; do sh -c "$each" >/dev/null 2>&1 </dev/null & done`;
  expect((await rig.cli('ssh', '--root', '--', script)).end).toBe(0);
}

const vmOf = (rig: BuilderRig): number => rig.status()?.vmPid ?? 0;
