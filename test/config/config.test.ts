import { describe, expect, test } from 'vitest';
import {
  builderFeature,
  checkConfig,
  parseConfig,
  type HostFacts,
} from '../../src/config/config.ts';
import { describeProblem, recorded, withoutCommonHint } from '../../src/domain/problem.ts';
import { plainly } from '../../src/system/advice.ts';

const host: HostFacts = {
  arch: 'x64',
  platform: 'linux',
  cpus: 4,
  memoryMiB: 16_384,
  diskGiB: 200,
  diskFreeGiB: 90,
};
const parse = (value: unknown, on = host) => parseConfig(JSON.stringify(value), on);
const problemsOf = (value: unknown, on = host) => {
  const parsed = parse(value, on);
  return parsed.ok ? [] : parsed.problems;
};
const configOf = (value: unknown, on = host) => {
  const parsed = parse(value, on);
  if (!parsed.ok) throw new Error(parsed.problems.map(describeProblem).map(plainly).join('\n'));
  return parsed.config;
};

describe('defaults come from the host', () => {
  test.each([
    [
      { cpus: 4, memoryMiB: 16_384 },
      { cpus: 4, memoryMiB: 4096, maxJobs: 4, coresPerJob: 1 },
    ],
    [
      { cpus: 16, memoryMiB: 65_536 },
      { cpus: 8, memoryMiB: 8192, maxJobs: 8 },
    ],
    [
      { cpus: 8, memoryMiB: 4096 },
      { cpus: 8, memoryMiB: 2048, maxJobs: 2, coresPerJob: 1 },
    ],
  ])('%o', (size, expected) => expect(configOf({}, { ...host, ...size })).toMatchObject(expected));

  test.each([
    [{ cpus: 8, memoryMiB: 8192, maxJobs: 2 }, 4],
    [{ cpus: 8, memoryMiB: 4096, maxJobs: 2 }, 2],
    [{ cpus: 2, memoryMiB: 8192, maxJobs: 4 }, 1],
  ])('of %o a build has %i cores: CPUs and memory are enough for all of them', (size, cores) =>
    expect(configOf(size, { ...host, cpus: 8, memoryMiB: 65_536 }).coresPerJob).toBe(cores),
  );

  test("the CPU count is the VM's and Nix's", () =>
    expect(configOf({ cpus: 3 })).toMatchObject({ cpus: 3, maxJobs: 3 }));
  test('an ARM host gets an ARM guest', () =>
    expect(configOf({}, { ...host, arch: 'arm64' }).system).toBe('aarch64-linux'));
  test('another system than the own is emulated, and only what does that goes with it', () => {
    expect(configOf({ system: 'aarch64-linux' }).system).toBe('aarch64-linux');
    expect(configOf({ system: 'aarch64-linux', accelerator: 'tcg' }).accelerator).toBe('tcg');
    expect(configOf({ system: 'x86_64-linux', accelerator: 'kvm' }).accelerator).toBe('kvm');
  });
  test("the builder's own feature is always there, once", () => {
    expect(configOf({ features: ['kvm'] }).features).toEqual(['kvm', builderFeature]);
    expect(configOf({ features: [builderFeature] }).features).toEqual([builderFeature]);
  });
  test.each([
    ['a Mac', { platform: 'darwin' }, { how: 'auto', start: 'demand' }],
    ['a laptop', { hasBattery: true }, { how: 'auto', start: 'demand' }],
    ['any other machine', {}, { how: 'never', start: 'login' }],
  ] as const)('the guest of %s goes and comes, or stays', (_, machine, { how, start }) => {
    const here: HostFacts = { ...host, ...machine };
    expect(configOf({}, here)).toMatchObject({ idle: { after: '10 min', how }, start });
    expect(configOf({ idle: { after: '90 s' } }, here).idle).toMatchObject({ after: '90 s', how });
    expect(configOf({ idle: { how: 'stop' }, start: 'login' }, here)).toMatchObject({
      idle: { after: '10 min', how: 'stop' },
      start: 'login',
    });
  });
  test('what is built here only is offered too', () => {
    const { features, mandatoryFeatures } = configOf({ features: [], mandatoryFeatures: ['mine'] });
    expect({ features, mandatoryFeatures }).toEqual({
      features: ['mine', builderFeature],
      mandatoryFeatures: ['mine'],
    });
  });
  test('the result cannot be changed', () => expect(Object.isFrozen(configOf({}))).toBe(true));
});

describe('what is refused', () => {
  test.each([
    [{ cpus: 5 }, 'cpus', '4 CPUs'],
    [{ memoryMiB: 20_000 }, 'memoryMiB', '16384 MiB'],
    [{ diskGiB: 201 }, 'diskGiB', '200 GiB'],
    [{ cpus: 1.5 }, 'cpus', 'whole number'],
    [{ cpus: '2' }, 'cpus', 'number'],
    [{ cpus: 0 }, 'cpus', 'at least 1'],
    [{ port: 70_000 }, 'port', 'at most 65535'],
    [{ port: null }, 'port', 'number'],
    [{ idle: { after: '10' } }, 'idle.after', 'duration'],
    [{ idle: { after: '9 s' } }, 'idle.after', 'from 10 s to 168 h'],
    [{ idle: { after: '169 h' } }, 'idle.after', 'from 10 s to 168 h'],
    [{ idle: { after: 600 } }, 'idle.after', 'duration'],
    [{ idle: { how: 'sleep' } }, 'idle.how', 'auto, stop or never'],
    [{ idle: 'never' }, 'idle', 'object'],
    [{ start: 'never' }, 'start', 'login or demand'],
    [{ bundle: 'relative' }, 'bundle', 'absolute path'],
    [{ features: ['a b'] }, 'features.0', 'one word'],
    [{ features: ['a,b'] }, 'features.0', 'one word'],
    [{ mandatoryFeatures: ['a,b'] }, 'mandatoryFeatures.0', 'one word'],
    [{ speedFactor: 0 }, 'speedFactor', 'at least 1'],
    [{ speedFactor: 1.5 }, 'speedFactor', 'whole number'],
    [{ protocol: 'https' }, 'protocol', 'ssh-ng or ssh'],
    [{ accelerator: 'hvf' }, 'accelerator', 'macOS'],
    [{ accelerator: 'kvm', system: 'aarch64-linux' }, 'accelerator', 'not aarch64-linux'],
    [{ vm: 'hyperkit', system: 'aarch64-linux' }, 'system', 'hyperkit'],
    [{ system: 'riscv64-linux' }, 'system', 'must be x86_64-linux or aarch64-linux'],
    [{ vm: 'vmware' }, 'vm', 'qemu'],
    [{ memory: 4096 }, 'memory', 'not a setting'],
  ])('%o', (value, path, words) => {
    const problems = problemsOf(value);
    expect(problems.map((problem) => problem.path)).toContain(path);
    expect(problems.map(describeProblem).map(plainly).join('\n')).toContain(words);
    expect(problems.at(-1)?.hint).not.toBe('');
  });

  // Behaviour 51: If `vm` is not set, which means the same as `auto`, the first start chooses the best VM program on
  // this machine; on Linux, that is QEMU with its own network. `status` names the program and the network.
  test('the VM program is left open, and what goes with none that this machine can have is told', () => {
    const parsed = checkConfig({}, host);
    expect(parsed).toMatchObject({ ok: true, config: { vm: 'auto', network: 'auto' } });
    expect(problemsOf({ network: 'vpnkit' })).toMatchObject([{ path: 'network', value: 'vpnkit' }]);
    const mac = { ...host, arch: 'x64', platform: 'darwin' } as const;
    expect(checkConfig({ network: 'vpnkit' }, mac)).toMatchObject({ ok: true });
    const apple = { ...mac, arch: 'arm64' } as const;
    expect(checkConfig({ network: 'vpnkit' }, apple)).toMatchObject({ ok: false });
    expect(checkConfig({ system: 'x86_64-linux' }, apple)).toMatchObject({ ok: true });
  });

  test('every problem is told at once, those with the shape and those with the host', () =>
    expect(
      problemsOf({ cpus: 99, port: 'x', colour: 'red', memoryMiB: 1 })
        .map(({ path }) => path)
        .sort(),
    ).toEqual(['colour', 'cpus', 'memoryMiB', 'port']));

  test.each(['cpus', 'port', 'memoryMiB', 'diskGiB', 'maxJobs'])(
    'one thing is told of one value, whatever else is wrong with it: %s',
    (name) => {
      for (const number of ['1e400', '-1e400', '-0.5', '1e15']) {
        const parsed = parseConfig(`{"${name}":${number}}`, host);
        expect(parsed.ok ? [] : parsed.problems.map(({ path }) => path)).toEqual([name]);
      }
    },
  );

  test('a number that JSON cannot say is shown as it was read', () => {
    const parsed = parseConfig('{"cpus":1e400}', host);
    const said = parsed.ok ? [] : parsed.problems.map(describeProblem).map(plainly);
    expect(said).toEqual([expect.stringMatching(/^cpus = Infinity: /)]);
  });

  test('a number that no machine could have is told once', () =>
    expect(problemsOf({ cpus: 513, memoryMiB: 99_000_000 }).map(({ path }) => path)).toEqual([
      'cpus',
      'memoryMiB',
    ]));

  test.each(['', '{', 'null', '[]', '"x"', '3', '{"cpus":}'])('text %j', (text) => {
    const parsed = parseConfig(text, host);
    expect(parsed.ok).toBe(false);
    if (!parsed.ok) expect(parsed.problems.length).toBeGreaterThan(0);
  });
});

test('of several values that are none the last one says where to read more', () => {
  const problems = problemsOf({ cpus: 0, memoryMiB: 'x', port: 'y' });
  expect(problems.map(({ hint }) => hint !== '')).toEqual([false, false, true]);
  expect(problems.map(({ hasCommonHint }) => hasCommonHint)).toEqual([undefined, undefined, true]);
  const [, , last] = problems;
  expect(last && withoutCommonHint(last)).toEqual({ ...last, hint: '', hasCommonHint: undefined });
  expect(last && recorded(last)).not.toHaveProperty('hasCommonHint');
});

test('what fits no file system here keeps its own hint, whatever else is wrong', () => {
  const [problem] = problemsOf({ diskGiB: 'x' }, { ...host, diskGiB: 1 });
  expect(problem?.hasCommonHint).toBeUndefined();
  expect(problem && withoutCommonHint(problem).hint).not.toBe('');
});
