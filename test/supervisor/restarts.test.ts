/** A VM program that ends as soon as it begins, again and again. */
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { keepPrivate } from '../../src/host/directory/private-directories.ts';
import { bootsIn } from '../../src/supervisor/status/boots.ts';
import { defaultPolicy } from '../../src/supervisor/lifecycle/backoff.ts';
import { launchNetwork } from '../../src/supervisor/children/network-child.ts';
import { Scope } from '../../src/supervisor/scope.ts';
import { Supervisor } from '../../src/supervisor/supervisor.ts';
import type { Status } from '../../src/supervisor/status/status-schema.ts';
import { plainly } from '../../src/system/advice.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { silent, type Log } from '../../src/system/log.ts';
import { gvproxy } from '../../src/net/gvproxy.ts';
import { chooseVm } from '../../src/vm/choose-vm.ts';
import { trialLine } from '../../src/vm/qemu/trial-init.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { identify } from '../../src/system/process/process.ts';
import { unasked, World } from '../model/world.ts';
import { needs } from '../needs.ts';

const restless = { ...defaultPolicy, firstDelayMs: 0, maxDelayMs: 0, maxAttempts: Infinity };

/** The program of a world, replaced by one of these lines. */
function programIs(world: World, line: string): void {
  for (const name of ['qemu-system-x86_64', 'qemu-system-aarch64'])
    writeFileSync(
      join(dirname(world.layout.root), 'bin', name),
      `#!/bin/sh\n${unasked}\n${line}\n`,
    );
}

/** Lives until it has waited for so many next attempts; what it logged. */
async function live(
  world: World,
  attempts: number,
  onAttempt: (n: number) => void,
  onLog: Log = () => undefined,
) {
  const daemon = identify(process.pid);
  if (daemon === undefined) throw new Error('this process cannot see itself');
  const events: string[] = [];
  const log: Log = (level, event, fields) => {
    events.push(event);
    onLog(level, event, fields);
  };
  let n = 0;
  let was = '';
  const onStatus = ({ phase }: Status) => {
    if (phase === was) return;
    was = phase;
    if (phase !== 'stopping') return;
    onAttempt(++n);
    if (n === attempts) supervisor.dispatch({ type: 'stop' });
  };
  const { layout, config } = world;
  const supervisor: Supervisor = new Supervisor(
    {
      layout,
      log,
      daemon,
      onStatus,
      doorSocket: '/nowhere',
      clock: systemClock,
      policy: restless,
      isOurs: () => true,
      closeDirectories: () => keepPrivate(layout),
    },
    { config, problems: [] },
  );
  supervisor.dispatch({ type: 'start' });
  await supervisor.left;
  return events;
}

const descriptors = (): number => readdirSync('/proc/self/fd').length;
const timers = (): number =>
  process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

test(
  'a hundred restarts keep no descriptor and no timer',
  needs({ path: '/proc/self/fd' }),
  async () => {
    await using world = await World.make();
    programIs(world, 'exit 1');
    const seen: [number, number][] = [];
    await live(world, 100, () => seen.push([descriptors(), timers()]));
    expect(seen).toHaveLength(100);
    // The least of ten in a row: what is just being closed is not kept.
    const least = (from: number, which: 0 | 1) =>
      Math.min(...seen.slice(from, from + 10).map((counts) => counts[which]));
    for (const which of [0, 1] as const)
      expect(least(90, which)).toBeLessThanOrEqual(least(5, which) + 1);
  },
);

test('what an earlier daemon left is looked for once; again when somebody holds a lock', async () => {
  await using world = await World.make();
  const count = join(dirname(world.layout.root), 'count');
  writeFileSync(count, '');
  // The third one ends as a child does whose lock is held.
  programIs(world, `echo >>'${count}'; [ $(wc -l <'${count}') = 3 ] && exit 75; exit 1`);
  const events = await live(world, 5, () => undefined);
  const told = events.filter((event) => ['leftovers-judged', 'accelerator'].includes(event));
  expect(told).toEqual([
    'leftovers-judged',
    'accelerator',
    'accelerator',
    'accelerator',
    'leftovers-judged',
    'accelerator',
    'accelerator',
  ]);
  expect(readFileSync(count, 'utf8')).toHaveLength(5);
  // Each start has its record, and is not taken from the log.
  expect(bootsIn(readFileSync(world.layout.boots, 'utf8')).map(({ steps }) => steps[0])).toEqual(
    Array(5).fill({ name: 'prepared', ms: expect.any(Number) as number }),
  );
});

// Behaviour 24: The guest is not started while others can replace the daemon's state directory, for example because
// they can write to the directory that contains it. Once that has been fixed, the guest is started.
test('nothing is booted from a directory that others can replace, until that is mended', async () => {
  await using world = await World.make();
  const above = dirname(world.layout.root);
  const count = join(above, 'count');
  writeFileSync(count, '');
  programIs(world, `echo >>'${count}'; exit 1`);
  const booted: number[] = [];
  await live(world, 3, (n) => {
    booted.push(readFileSync(count, 'utf8').length);
    chmodSync(above, n === 1 ? 0o777 : 0o700);
  });
  expect(booted).toEqual([1, 1, 2]);
});

// Our own copy of the kernel is another file at each start.
test(
  'an accelerator that works is tried once, and not again by the next start',
  needs('Linux', 'KVM'),
  async () => {
    await using world = await World.make();
    const says = `echo '${trialLine}' >>'${world.layout.trialConsole}'; exec sleep 100`;
    programIs(world, `case "$*" in *trial.console*) ${says} ;; esac; exit 1`);
    const found: unknown[] = [];
    const auto = Object.assign(world, {
      // A bundle that the settings name is copied.
      config: {
        ...world.config,
        accelerator: 'auto',
        bundle: join(world.layout.images, 'builder'),
      },
    });
    await live(
      auto,
      2,
      () => undefined,
      (_level, event, fields) => event === 'accelerator' && found.push(fields),
    );
    const kvm = { accelerator: 'kvm', rejected: [] };
    expect(found).toEqual([
      { ...kvm, tried: true },
      { ...kvm, tried: false },
    ]);
  },
);

function scopeOf({ layout }: World, config: Config): Scope {
  const choice = chooseVm({ config, layout, known: [] });
  const news = { onEvent: () => undefined, onChange: () => undefined };
  return new Scope({ layout, clock: systemClock, log: silent, config, choice }, news);
}

test.each([
  { how: 'is not started', cwd: '/nowhere', output: 'network.out' },
  { how: 'cannot write what it says', cwd: '/', output: 'nowhere/network.out' },
])('a network that $how is not followed any more', async ({ cwd, output }) => {
  await using world = await World.make();
  const { layout, config } = world;
  const clock = new FakeClock();
  const context = {
    clock,
    log: silent,
    layout: { ...layout, networkOutput: join(layout.state, output) },
  };
  const plan = { program: 'sleep', argv: ['60'], env: {}, cwd };
  const chosen = { driver: gvproxy, program: 'sleep', link: 'vpnkit', rejected: [] } as const;
  const scope = scopeOf(world, config);
  await expect(launchNetwork(context, scope, chosen, plan)).rejects.toBeInstanceOf(Error);
  expect(scope.running.network).toBeUndefined();
  scope.end();
  expect(clock.pending).toBe(0);
});

test.each([
  { how: 'ends by itself', first: '', then: 'exit 1', isStopped: false },
  // gvproxy ends with a code when it is told to.
  {
    how: 'is stopped',
    first: "trap 'exit 1' TERM",
    then: 'while :; do sleep 0.02; done',
    isStopped: true,
  },
])(
  'a network that $how before it serves is unfit only by its own doing',
  async ({ first, then, isStopped }) => {
    await using world = await World.make();
    const { layout, config } = world;
    const bin = join(dirname(layout.root), 'bin');
    const begun = join(bin, 'begun');
    for (const name of ['vpnkit', 'gvproxy'])
      writeFileSync(join(bin, name), `#!/bin/sh\n${first}\n: >'${begun}'\n${then}\n`, {
        mode: 0o755,
      });
    const context = { layout, log: silent, clock: systemClock };
    const program = join(bin, 'gvproxy');
    const plan = { program, argv: [], env: { PATH: '/usr/bin:/bin' }, cwd: '/' };
    const scope = scopeOf(world, { ...config, vm: 'hyperkit', network: 'auto' });
    const { running } = scope;
    const chosen = { driver: gvproxy, program, link: 'vpnkit', rejected: [] } as const;
    const launched = launchNetwork(context, scope, chosen, plan);
    const failed = expect(launched).rejects.toBeInstanceOf(Error);
    while (!existsSync(begun) || running.network === undefined) await systemClock.sleep(2);
    if (isStopped) {
      scope.end();
      running.network.child.signal('SIGTERM');
    }
    await failed;
    expect(await running.network.child.ended).toEqual({ kind: 'exited', code: 1 });
    expect(running.tried.unfit?.driver).toBe(isStopped ? undefined : gvproxy);
    await running.network.output.close();
    scope.end();
  },
);

// Behaviour 137: If the output of a network program shows a known fault, `status` names the fault, its cause and its
// remedy.
test('what the network says is known to others is told', async () => {
  await using world = await World.make();
  const { layout, config } = world;
  const context = { layout, clock: systemClock, log: silent };
  const script = 'echo all is well; echo sendto: no buffer space available; exit 1';
  const plan = { program: '/bin/sh', argv: ['-c', script], env: {}, cwd: '/' };
  const chosen = { driver: gvproxy, program: '/bin/sh', link: 'vpnkit', rejected: [] } as const;
  const scope = scopeOf(world, { ...config, vm: 'hyperkit', network: 'auto' });
  const launched = launchNetwork(context, scope, chosen, plan);
  await expect(launched).rejects.toMatchObject({ failure: { kind: 'network-exited' } });
  expect(plainly(scope.facts.all.networkTrouble ?? '')).toMatch(
    /gvproxy before 0\.7\.4.*gvisor-tap-vsock#367/,
  );
  await scope.running.network?.output.close();
  scope.end();
});

test('an image with other bytes than it was made with is booted once, and named', async () => {
  await using world = await World.make();
  world.corrupt();
  // Ends before it is ready, as a guest of broken bytes may.
  programIs(world, 'exit 1');
  const { clock, layout, config } = world;
  const daemon = identify(process.pid);
  if (daemon === undefined) throw new Error('this process cannot see itself');
  const seen: Status[] = [];
  const onStatus = (status: Status) => void seen.push(status);
  const options = { layout, clock, daemon, onStatus, log: silent, policy: defaultPolicy };
  const more = { doorSocket: '/nowhere', isOurs: () => true };
  const supervisor = new Supervisor({ ...options, ...more }, { config, problems: [] });
  supervisor.dispatch({ type: 'start' });
  while (seen.at(-1)?.phase !== 'failed') await clock.advance(1);
  expect(seen.at(-1)?.because?.kind).toBe('image-wrong-hash');
  const phases = seen.map(({ phase }) => phase).filter((phase, n, all) => phase !== all[n - 1]);
  expect(phases).toEqual(['starting', 'stopping', 'backing-off', 'starting', 'stopping', 'failed']);
  supervisor.dispatch({ type: 'stop' });
  await supervisor.left;
});
