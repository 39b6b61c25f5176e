import { describe, expect, test } from 'vitest';
import { routingOf, type Derivation, type RoutingFacts } from '../../src/nix/build-routing.ts';
import { parseConfig, parseDerivation } from '../../src/nix/answers.ts';
import { plainly } from '../../src/system/advice.ts';

const drv: Derivation = {
  path: '/nix/store/x.drv',
  system: 'aarch64-linux',
  builtin: false,
  features: [],
  preferLocal: false,
  outputs: ['/nix/store/x'],
};
const mac: RoutingFacts = {
  config: {
    system: 'aarch64-darwin',
    extraPlatforms: ['x86_64-darwin'],
    features: ['benchmark', 'big-parallel'],
    maxJobs: 8,
    builders: '@/etc/nix/machines',
  },
  ours: {
    store: 'ssh-ng://builder@nix-linuxkit',
    systems: ['aarch64-linux'],
    maxJobs: 4,
    features: ['big-parallel', 'linuxkit-builder'],
    mandatory: [],
    speedFactor: 1,
  },
  hidden: undefined,
  malformed: undefined,
  unread: new Map(),
  external: [],
  isBuilt: false,
  isSetUp: true,
  builder: { phase: 'ready', builds: 'now' },
};
const linux: RoutingFacts = { ...mac, config: { ...mac.config, system: 'aarch64-linux' } };

/** Where it goes, and the first condition that does not hold. */
const goes = (over: Partial<Derivation>, world: RoutingFacts) => {
  const { where, reasons } = routingOf({ ...drv, ...over }, world);
  return [where, reasons.find(({ holds }) => !holds)?.text ?? ''] as const;
};

describe('a build for the builder', () => {
  test('comes from a Mac', () => expect(goes({}, mac)[0]).toBe('comes'));
  test.each(['booting', 'starting', 'backing-off'])('waits while the builder is %s', (phase) =>
    expect(goes({}, { ...mac, builder: { phase, builds: 'later' } })[0]).toBe('comes'),
  );
  // Behaviour 108: `list` shows that a builder is drained. `doctor`, `explain`, `wait` and `ssh` say so, too, and
  // name `undrain`.
  test('does not get to one that was drained, ready or not', () => {
    for (const builds of ['now', 'later'] as const) {
      const world = { ...mac, builder: { phase: 'x', builds, isDrained: true } };
      expect(goes({}, world)).toEqual(['nowhere', expect.stringContaining('drained')]);
      expect(goes({}, { ...world, config: linux.config })[0]).toBe('stays');
    }
  });
  test('comes to that of another user, of which nothing is seen', () => {
    const others = { ...mac, builder: undefined, isSetUp: false, othersName: 'ann' };
    expect(goes({}, others)[0]).toBe('comes');
    expect(goes({}, { ...others, othersName: undefined })[0]).toBe('nowhere');
    const { reasons } = routingOf(drv, { ...others, ours: undefined });
    expect(reasons.map(({ remedy = '' }) => plainly(remedy)).join()).not.toContain(
      'linuxkit-builder up',
    );
  });
  test('may stay on a machine that builds the same', () => {
    expect(goes({}, linux)[0]).toBe('may-stay');
    expect(goes({ preferLocal: true }, linux)[0]).toBe('stays');
    const busy = { ...linux, config: { ...linux.config, maxJobs: 0 } };
    expect(goes({ preferLocal: true }, busy)[0]).toBe('comes');
    expect(goes({ features: ['linuxkit-builder'] }, linux)[0]).toBe('comes');
  });
  test('is none when it is built', () =>
    expect(goes({}, { ...mac, isBuilt: true })[0]).toBe('here-already'));
});

describe('what Nix builds within itself', () => {
  const fetch = { system: 'builtin', builtin: true, preferLocal: true };
  test.each([
    ['on a Mac', mac],
    ['where nothing else is built', { ...mac, config: { ...mac.config, maxJobs: 0 } }],
    ['where no builder is known', { ...mac, ours: undefined }],
  ] as const)('stays, %s', (_, world) => expect(goes(fetch, world)[0]).toBe('stays'));

  test('may come when it does not prefer to stay', () =>
    expect(goes({ ...fetch, preferLocal: false }, mac)).toEqual(['may-stay', '']));
});

test('a feature that is misspelt is one to mend, and not to offer', () => {
  const remedies = (feature: string) =>
    routingOf({ ...drv, features: [feature] }, mac).reasons.map(({ remedy = '' }) =>
      plainly(remedy),
    );
  expect(remedies('big_parallel').join()).toContain(
    'Nix has no feature big_parallel; did you mean big-parallel? If so, fix the derivation.',
  );
  expect(remedies('mine').join()).toContain('-f big-parallel,linuxkit-builder,mine');
});

describe('a build of a system beside that of the guest', () => {
  const i686 = { system: 'i686-linux' };
  const x86 = (...systems: string[]): RoutingFacts => ({
    ...mac,
    ours: {
      ...(mac.ours as NonNullable<RoutingFacts['ours']>),
      systems: ['x86_64-linux', ...systems],
    },
  });
  test('comes where the line offers it', () =>
    expect(goes(i686, x86('i686-linux'))[0]).toBe('comes'));
  test('is refused with what offers it', () => {
    const { where, reasons } = routingOf({ ...drv, ...i686 }, x86());
    expect(where).toBe('nowhere');
    expect(plainly(reasons.find(({ holds }) => !holds)?.remedy ?? '')).toContain(
      '--extra-systems i686-linux',
    );
    expect(
      routingOf({ ...drv, ...i686 }, mac)
        .reasons.map(({ remedy = '' }) => plainly(remedy))
        .join(),
    ).not.toContain('--extra-systems');
  });
  test('fails where the guest runs it no more', () =>
    expect(goes(i686, { ...x86('i686-linux'), lost: ['i686-linux'] })).toEqual([
      'nowhere',
      'the guest cannot run i686-linux programs',
    ]));
});

describe('a line that keeps the builder for some', () => {
  const ours = { ...mac.ours, mandatory: ['kvm'] } as NonNullable<RoutingFacts['ours']>;
  test('takes what requires it', () =>
    expect(goes({ features: ['kvm', 'big-parallel'] }, { ...mac, ours })[0]).toBe('comes'));
  test('takes nothing else', () =>
    expect(goes({}, { ...mac, ours })).toEqual([
      'nowhere',
      'the list reserves the builder for builds that require kvm',
    ]));
});

describe('a build that does not come says why', () => {
  test.each([
    ['the system', { system: 'x86_64-linux' }, {}, 'supports only aarch64-linux'],
    ['a feature', { features: ['kvm', 'big-parallel'] }, {}, 'it requires kvm, which'],
    [
      'what no guest of ours does',
      { features: ['uid-range'] },
      { ours: { ...mac.ours, features: ['uid-range'] } as RoutingFacts['ours'] },
      'it requires uid-range, which the builder cannot provide',
    ],
    ['the list', {}, { ours: undefined }, 'the builder is not in the list'],
    ['builders', {}, { hidden: '' }, '`builders` is ""'],
    ['a malformed line', {}, { malformed: 'line 3: x' }, 'line 3: x'],
    ['no jobs', {}, { ours: { ...mac.ours, maxJobs: 0 } as RoutingFacts['ours'] }, 'max-jobs 0'],
    ['no daemon', {}, { builder: undefined }, 'the daemon is not running'],
    [
      'a failed daemon',
      {},
      { builder: { phase: 'failed', builds: 'not' } },
      "the builder is 'failed'",
    ],
  ] as const)('%s', (_, over, world, text) => {
    const [where, why] = goes(over, { ...mac, ...world });
    expect(where).toBe('nowhere');
    expect(why).toContain(text);
  });

  test('and stays here where that can be', () =>
    expect(goes({}, { ...linux, ours: undefined })[0]).toBe('stays'));

  test('each with what helps', () => {
    const { reasons } = routingOf(
      { ...drv, system: 'x86_64-linux', features: ['kvm'] },
      { ...mac, hidden: 'x', malformed: 'y', builder: undefined },
    );
    // The last ones are about this machine, and no remedy of ours changes that.
    for (const reason of reasons.slice(0, -3))
      if (!reason.holds) expect(reason.remedy).toBeTruthy();
  });
});

describe('what Nix says', () => {
  test('of a derivation, in each spelling', () => {
    const env = { requiredSystemFeatures: 'kvm nixos-test', preferLocalBuild: '1' };
    const outputs = { out: { path: '/nix/store/o' } };
    const one = { system: 'x86_64-linux', env, outputs };
    const wanted = {
      path: '/nix/store/a.drv',
      system: 'x86_64-linux',
      builtin: false,
      features: ['kvm', 'nixos-test'],
      preferLocal: true,
      outputs: ['/nix/store/o'],
    };
    expect(parseDerivation(JSON.stringify({ '/nix/store/a.drv': one }))).toEqual(wanted);
    const newer = { version: 4, derivations: { '/nix/store/a.drv': one } };
    expect(parseDerivation(JSON.stringify(newer))).toEqual(wanted);
    const attributes = { requiredSystemFeatures: ['kvm', 'nixos-test'], preferLocalBuild: true };
    const structured = { ...one, env: {}, structuredAttrs: attributes };
    expect(parseDerivation(JSON.stringify({ '/nix/store/a.drv': structured }))).toEqual(wanted);
    const older = { ...one, env: { __json: JSON.stringify(attributes) } };
    expect(parseDerivation(JSON.stringify({ '/nix/store/a.drv': older }))).toEqual(wanted);
    const fetch = { '/nix/store/a.drv': { ...one, builder: 'builtin:fetchurl' } };
    expect(parseDerivation(JSON.stringify(fetch))).toEqual({ ...wanted, builtin: true });
  });

  // Behaviour 142: When `explain` says whether a build would run on this builder, it also takes into account the
  // features that a derivation requires without naming them, and those that your machine's own Nix has because of its
  // experimental features.
  test.each([
    ['a floating output', { out: { hashAlgo: 'r:sha256' } }, ['kvm', 'ca-derivations']],
    [
      'one of a newer Nix',
      { out: { method: 'nar', hashAlgo: 'sha256' } },
      ['kvm', 'ca-derivations'],
    ],
    ['an impure one', { out: { hashAlgo: 'r:sha256', impure: true } }, ['kvm', 'ca-derivations']],
    ['one that waits for those', { out: {}, doc: { path: null } }, ['kvm', 'ca-derivations']],
    ['a fixed output', { out: { path: '/nix/store/o', hashAlgo: 'sha256', hash: '00' } }, ['kvm']],
    ['a fixed one of a newer Nix', { out: { method: 'flat', hash: 'sha256-x' } }, ['kvm']],
    ['none', {}, ['kvm']],
  ])('of the features that a derivation has by itself: %s', (_, outputs, features) => {
    const one = { system: 'x', env: { requiredSystemFeatures: 'kvm' }, outputs };
    expect(parseDerivation(JSON.stringify({ a: one }))?.features).toEqual(features);
  });

  test('of the features that a store has by its experimental features', () => {
    const text = JSON.stringify({
      'system-features': { value: ['kvm'] },
      'experimental-features': { value: ['flakes', 'ca-derivations', 'recursive-nix'] },
    });
    expect(parseConfig(text)?.features).toEqual(['kvm', 'ca-derivations', 'recursive-nix']);
  });

  test.each(['', '[]', '{}', '{"a": 1}', '{"derivations": {}}'])('nothing in %j', (text) =>
    expect(parseDerivation(text)).toBeUndefined(),
  );

  test('of its settings', () => {
    const text = JSON.stringify({
      system: { value: 'aarch64-darwin' },
      'extra-platforms': { value: ['x86_64-darwin'] },
      'system-features': { value: ['kvm'] },
      'max-jobs': { value: 0 },
      builders: { value: '@/etc/nix/machines' },
    });
    expect(parseConfig(text)).toEqual({
      system: 'aarch64-darwin',
      extraPlatforms: ['x86_64-darwin'],
      features: ['kvm'],
      maxJobs: 0,
      builders: '@/etc/nix/machines',
    });
    expect(parseConfig('error')).toBeUndefined();
  });
});
