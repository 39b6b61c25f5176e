import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { textFor } from '../../src/system/advice.ts';
import { findProgram } from '../../src/system/process/find-program.ts';
import { kvmObstacle } from '../../src/vm/kvm-device.ts';
import { rowOf, runStates, type RunState } from '../../src/vm/run-states.ts';
import { QmpRelay, wrapQemu } from '../rig/qmp-relay.ts';
import { fact } from './command.ts';
import { BuilderRig } from './rig.ts';
import { saying } from '../fakes/saying.ts';

const names = Object.keys(runStates) as RunState[];
const lost = ['watchdog', 'shutdown', 'guest-panicked'] as const;
const still = names.filter((name) => 'sentence' in rowOf(name));
/** Elsewhere the translator is all that there is, and has none after it. */
const hasOther = process.platform === 'linux' && kvmObstacle() === undefined;

// Behaviour 41: An accelerator that fails after its trial is not used again until the host reboots. The same start
// continues with the next accelerator, unless the setting `accelerator` names the one that failed: then the guest
// stays off.
// Behaviour 94: Each run state of QEMU has a message and a response of its own. The daemon waits while the VM is
// paused, halted or being saved, and restarts a VM that cannot continue.
// Behaviour 90: With QEMU, an I/O error on the host's disk or an exhausted quota pauses the guest, too, and `status`
// shows the reason. With an exhausted quota, the guest waits until there is space. After an I/O error, the daemon lets
// the guest continue, up to three times in a row. If the error recurs within a minute of the third time, the guest is
// stopped and stays off, and the message names the file.
test('each state of QEMU is met with its sentence and its treatment', async (context) => {
  await using rig = await BuilderRig.create({ context });
  const qemu = findProgram(process.arch === 'arm64' ? 'qemu-system-aarch64' : 'qemu-system-x86_64');
  const bin = wrapQemu(rig.dir, { qemu, layout: rig.layout, pretends: hasOther });
  Object.assign(rig.env, { PATH: `${bin}:${process.env['PATH'] ?? ''}` });
  using relay = new QmpRelay(rig.layout.qmp);
  await rig.up();
  const first = await rig.reaches('ready');
  expect(first.accelerator).toBe(hasOther ? 'kvm' : 'tcg');

  for (const state of still) {
    const row = rowOf(state);
    relay.stop(state);
    if (row.treatment === 'woken') {
      await fact('it was told to wake up', () => relay.heard.includes('system_wakeup'));
    } else {
      const { sentence } = await rig.untilStatus(state, ({ phase }) => phase === 'paused');
      expect(sentence).toBe('sentence' in row && textFor(row.sentence, rig.layout.root));
      relay.cont();
    }
    await rig.reaches('ready');
  }
  expect(await rig.reaches('ready')).toMatchObject({ vmPid: first.vmPid });

  // The starts after it are lost to what no QEMU comes back from, and the last one is well.
  relay.later.push(...lost);
  const begun = performance.now();
  relay.stop('internal-error');
  await rig.untilStatus('it was found', ({ phase }) => phase !== 'ready');
  expect(performance.now() - begun).toBeLessThan(2_000);
  await rig.untilStatus(
    'the last start',
    ({ phase, last }) => phase === 'booting' && last?.kind === lost.at(-1),
  );
  const last = await rig.reaches('ready');
  expect(last.accelerator).toBe('tcg');

  const kinds = rig
    .log('phase')
    .flatMap(({ phase, failure }) =>
      phase === 'stopping' && failure !== undefined ? [(failure as { kind: string }).kind] : [],
    );
  const broken = hasOther ? 'accelerator-rejected' : 'accelerator-broken';
  expect(kinds).toEqual([broken, 'vm-watchdog', 'guest-powered-off', 'guest-panicked']);
  if (hasOther) {
    // The same start: no attempt was used up, and nothing was waited for.
    expect(last.attempt).toBe(4);
    expect(last.rejected).toEqual([saying(/^kvm: /)]);
    expect((await rig.cli('verdicts')).stdout).toContain('accelerator kvm: does not work');
    expect((await rig.cli('verdicts', '--clear')).stdout).toContain('Forgotten: accelerator kvm.');
    expect(existsSync(rig.layout.verdicts)).toBe(false);
  }

  // A fault of the host's disk that does not pass is tried three times, and then the guest is ended until somebody asks for another.
  const failing = rig.log('vm-paused').length;
  relay.ever = 'io-error';
  relay.stop('io-error');
  const { because, sentence } = await rig.untilStatus(
    'it is over',
    ({ phase }) => phase === 'failed',
  );
  expect(because?.kind).toBe('host-disk-failed');
  expect(sentence).toContain(rig.layout.disk);
  expect(rig.log('vm-paused')).toHaveLength(failing + 4);
  expect((await rig.cli('stop')).end).toBe(0);
});
