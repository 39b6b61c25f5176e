/** What the record says of a builder whose settings leave the programs open. */
import { expect, test } from 'vitest';
import { checkConfig } from '../../src/config/config.ts';
import { StartFacts } from '../../src/supervisor/start/start-facts.ts';
import type { Facts } from '../../src/supervisor/status/status-schema.ts';
import { statusOf } from '../../src/supervisor/status/status-of.ts';
import { advice, ours } from '../../src/system/advice.ts';
import { Exit } from '../../src/system/failure.ts';
import { silent } from '../../src/system/log.ts';
import { vmDrivers } from '../../src/vm/vm-drivers.ts';
import { FakeClock } from '../fakes/fake-clock.ts';

const host = { arch: 'x64', platform: 'linux', cpus: 4, memoryMiB: 8_192 } as const;

function builder(facts: Facts, json: object = {}) {
  const parsed = checkConfig(json, { ...host, diskGiB: 100, diskFreeGiB: 50 });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const { config } = parsed;
  const state = { phase: 'ready', since: 0, attempt: 1 } as const;
  const daemon = { pid: 1, program: 'node', started: '', boot: '' };
  const about = { state, daemon, door: undefined, problems: [] };
  return statusOf({ ...about, facts, config, runs: config }).builder;
}
test('the commands in it name the directory that has to be named', () => {
  const because = {
    kind: 'x',
    message: 'It failed.',
    hint: advice`See: ${ours('logs')}`,
    exit: Exit.software,
  };
  const state = { phase: 'failed', since: 0, attempt: 1, because } as const;
  const daemon = { pid: 1, program: 'node', started: '', boot: '' };
  const nothing = { facts: {}, door: undefined, config: undefined, runs: undefined, problems: [] };
  const hintIn = (directory?: string) =>
    statusOf({ ...nothing, state, daemon, directory }).because?.hint;
  expect(hintIn()).toBe('See: linuxkit-builder logs');
  expect(hintIn('/a b')).toBe("See: linuxkit-builder logs -d '/a b'");
});

const chosen = (vm: string) => ({ vmChoice: { vm, why: 'It is here.' } });

// Behaviour 51: If `vm` is not set, which means the same as `auto`, the first start chooses the best VM program on
// this machine; on Linux, that is QEMU with its own network. `status` names the program and the network.
test('both are shown by the names of what was taken', () => {
  expect(builder({})).toMatchObject({ vm: 'auto', network: 'auto' });
  expect(builder(chosen('qemu'))).toMatchObject({ vm: 'qemu', network: 'user' });
  expect(builder({ ...chosen('qemu'), network: 'gvproxy' })).toMatchObject({ network: 'gvproxy' });
  expect(builder(chosen('hyperkit'))).toMatchObject({ vm: 'hyperkit', network: 'auto' });
  const named = builder(chosen('qemu'), { network: 'gvproxy' });
  expect(named).toMatchObject({ vm: 'qemu', network: 'gvproxy' });
});

// Behaviour 137: If the output of a network program shows a known fault, `status` names the fault, its cause and its
// remedy.
test('what is held against a way is told once, and why a program was taken is what is true by now', () => {
  const facts = new StartFacts({ clock: new FakeClock(), log: silent, onChange: () => undefined });
  const rejected = ['kvm: there is no /dev/kvm.'];
  facts.noteChoice({ driver: vmDrivers.qemu, why: 'It is here.', rejected });
  expect(facts.all).toMatchObject(chosen('qemu'));
  facts.reject(rejected);
  facts.note({ accelerator: 'tcg' });
  facts.reject(rejected);
  facts.reject([]);
  expect(facts.all).toMatchObject({ accelerator: 'tcg', rejected });
  facts.noteChoice({ driver: vmDrivers.qemu, why: 'It translates.', rejected });
  expect(facts.all).toMatchObject({
    vmChoice: { vm: 'qemu', why: 'It translates.' },
    rejected,
  });
});
