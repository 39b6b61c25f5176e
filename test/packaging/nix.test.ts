/** The flake and its modules, as far as a Nix without nixpkgs can tell; with the real nix-darwin where that is. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'plist';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { declaredIn } from '../../src/service/declared-job.ts';
import { machinesLine } from '../../src/nix/machines.ts';
import { readInstalled } from '../../src/host/installed.ts';
import { parseConfig } from '../../src/config/config.ts';
import { sshConfig } from '../../src/nix/ssh/stanza.ts';
import { unitWord } from '../../src/service/systemd/systemd-unit.ts';
import { hostFacts } from '../../src/system/host/host.ts';
import { snapshot } from '../setup/configure-rig.ts';
import { needs, type Need } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

const root = resolve(import.meta.dirname, '../..');
const nix = join(root, 'packaging/nix');
const conf = mkdtempSync(join(tmpdir(), 'nix-conf-'));
afterAll(() => removeTree(conf));

function instantiate(...argv: readonly string[]): {
  status: number | null;
  out: string;
  err: string;
} {
  const env = { PATH: process.env['PATH'], HOME: conf, NIX_CONF_DIR: conf };
  const ran = spawnSync('nix-instantiate', argv, { encoding: 'utf8', env });
  return { status: ran.status, out: ran.stdout, err: ran.stderr };
}

function evaluate(expression: string): unknown {
  const ran = instantiate('--eval', '--strict', '--json', '--store', 'dummy://', '-E', expression);
  expect(ran.err.replace(/^warning:.*$/gm, '').trim()).toBe('');
  return JSON.parse(ran.out);
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
type Set = Readonly<Record<string, Json>>;
interface Module {
  readonly sets: readonly Set[];
  readonly options: readonly string[];
  readonly machinesLine: string;
  readonly sshConfig: string;
  readonly launcher: string;
  readonly daemon: string;
  /** config.json. */
  readonly settings: string;
}

interface World {
  readonly said?: Set;
  readonly nixEnable?: boolean;
  readonly determinate?: boolean;
  readonly isDarwin?: boolean;
  /** The user's, of home-manager. */
  readonly home?: string;
  /** A home-manager of before 2026-07. */
  readonly isOldHome?: boolean;
  /** Whether files that it makes stand for what is in them, instead of where they are. */
  readonly isWritten?: boolean;
}

const text = (value: unknown) => JSON.stringify(JSON.stringify(value));
function moduleOf(name: 'darwin' | 'nixos' | 'home', world: World = {}): Module {
  const { said = { enable: true }, nixEnable = true, determinate = false } = world;
  const { isOldHome = false, isWritten = false } = world;
  const { isDarwin = name !== 'nixos', home = '/home/j' } = world;
  const config = {
    nix: { enable: nixEnable },
    xdg: { cacheHome: `${home}/.cache` },
    home: { homeDirectory: home },
    ...(determinate && { determinateNix: { enable: true } }),
  };
  return evaluate(
    `import ${root}/test/packaging/evaluate.nix { module = ${nix}/${name}.nix; said = ${text(said)}; world = ${text(config)}; isDarwin = ${String(isDarwin)}; hasDeterminate = ${String(determinate)}; isOldHome = ${String(isOldHome)}; isWritten = ${String(isWritten)}; }`,
  ) as Module;
}

/** A value at a path of names with dots between. */
function at(sets: readonly Set[], path: string): Json | undefined {
  const found = sets.flatMap((set) => {
    let value: Json | undefined = set;
    for (const name of path.split('/')) value = (value as Set | undefined)?.[name];
    return value === undefined ? [] : [value];
  });
  return found[0];
}

/** How the path of a file that a module makes begins (evaluate.nix). */
const stored = `/nix/store/${'0'.repeat(32)}-linuxkit-builder-`;

const experimental = ['--extra-experimental-features', 'nix-command flakes'];
/** Newer releases look at this system alone, where they are not told to. */
const allSystems = () =>
  spawnSync('nix', [...experimental, 'flake', 'check', '--help'], {
    encoding: 'utf8',
  }).stdout.includes('--all-systems')
    ? ['--all-systems']
    : [];
const evaluator: Need = { programs: ['nix-instantiate'] };

describe('the files of Nix', needs(evaluator), () => {
  const files = ['flake.nix', ...readdirSync(nix).map((name) => `packaging/nix/${name}`)];
  test.each(files.filter((name) => name.endsWith('.nix')))('%s is Nix', (name) => {
    expect(instantiate('--parse', join(root, name))).toMatchObject({ status: 0, err: '' });
  });

  // Behaviour 212: The flake fetches each package that package-lock.json names from npm's registry, and checks it
  // against its digest in that file. Without the file `packaging/nix/registry`, which contains the registry's
  // address, evaluation fails with a message that says how to get that file.
  test('each entry of the lock gets the address that npm would fetch', () => {
    const registry = join(conf, 'registry');
    writeFileSync(registry, 'https://registry.example/npm/\n');
    const lock = evaluate(
      `import ${nix}/lock.nix { lock = builtins.fromJSON (builtins.readFile ${root}/package-lock.json); registry = import ${nix}/registry.nix { file = ${registry}; }; }`,
    ) as { packages: Record<string, { resolved?: string; integrity?: string; version: string }> };
    const entries = Object.entries(lock.packages).filter(([key]) => key !== '');
    expect(entries.length).toBeGreaterThan(100);
    for (const [key, { resolved, integrity }] of entries) {
      expect(resolved, key).toMatch(
        /^https:\/\/registry\.example\/npm\/(@[\w.-]+\/)?[\w.-]+\/-\/[\w.+-]+\.tgz$/,
      );
      expect(integrity, key).toMatch(/^sha512-/);
    }
    const { version } = lock.packages['node_modules/@types/node'] ?? {};
    expect(lock.packages['node_modules/@types/node']?.resolved).toBe(
      `https://registry.example/npm/@types/node/-/node-${version ?? ''}.tgz`,
    );
    expect(lock.packages['']?.resolved).toBeUndefined();
  });

  test('the flake has what people ask of one', () => {
    const found = evaluate(`
      let
        genAttrs = names: make: builtins.listToAttrs (map (name: { inherit name; value = make name; }) names);
        systems = [ "aarch64-darwin" "x86_64-darwin" "aarch64-linux" "x86_64-linux" ];
        nixpkgs = {
          lib = { inherit genAttrs; };
          legacyPackages = genAttrs systems (system: { stdenv.hostPlatform = { inherit system; }; callPackage = path: _: "/\${system}/\${baseNameOf path}"; });
        };
        out = (import ${root}/flake.nix).outputs { self = out; inherit nixpkgs; };
      in {
        names = builtins.attrNames out;
        modules = map builtins.isFunction [ out.darwinModules.default out.nixosModules.default out.homeModules.default out.overlays.default ];
        program = out.apps.aarch64-darwin.default.program;
        packages = builtins.attrNames out.packages.x86_64-linux;
      }`);
    expect(found).toEqual({
      names: ['apps', 'darwinModules', 'homeModules', 'nixosModules', 'overlays', 'packages'],
      modules: [true, true, true, true],
      program: '/aarch64-darwin/package.nix/bin/linuxkit-builder',
      packages: ['default', 'linuxkit-builder'],
    });
  });

  test('without the address evaluation says what is missing', () => {
    const ran = instantiate('--eval', '-E', `import ${nix}/registry.nix { file = ${conf}/none; }`);
    expect(ran.status).not.toBe(0);
    expect(ran.err).toContain('npm config get registry >packaging/nix/registry');
  });

  test('no committed file says where the registry is', () => {
    expect(
      spawnSync('git', ['-C', root, 'ls-files', '--error-unmatch', 'packaging/nix/registry'])
        .status,
    ).not.toBe(0);
  });
});

/** As much of nixpkgs as the package asks for: nothing is built, and every derivation is /bin/sh. */
const nixpkgs = `{
  outputs = _:
    let
      genAttrs = names: make: builtins.listToAttrs (map (name: { inherit name; value = make name; }) names);
      systems = [ "aarch64-darwin" "x86_64-darwin" "aarch64-linux" "x86_64-linux" ];
      lib = {
        inherit genAttrs;
        cleanSource = path: path;
        makeBinPath = builtins.concatStringsSep ":";
        licenses.mit = { };
        platforms = { darwin = [ ]; linux = [ ]; };
      };
      packagesOf = system:
        let
          make = name: derivation { inherit name system; builder = "/bin/sh"; } // { type = "derivation"; inherit name; };
          pkgs = {
            inherit lib;
            stdenv.hostPlatform = { inherit system; isDarwin = builtins.match ".*-darwin" system != null; };
            buildNpmPackage = said: builtins.deepSeq said.npmDeps (make "\${said.pname}-\${said.version}" // { inherit (said) meta; });
            importNpmLock = { __functor = _: lock: builtins.deepSeq lock (make "npm-deps"); npmConfigHook = make "hook"; };
          };
        in
        {
          inherit (pkgs) stdenv;
          callPackage = file: _:
            let
              package = import file;
              wanted = builtins.filter (name: !(builtins.functionArgs package).\${name}) (builtins.attrNames (builtins.functionArgs package));
            in
            package (genAttrs wanted (name: pkgs.\${name} or (make name)));
        };
    in
    { inherit lib; legacyPackages = genAttrs systems packagesOf; };
}`;

const flakes: Need = {
  what: 'a Nix with flakes',
  isMet: spawnSync('nix', [...experimental, 'flake', '--help']).status === 0,
};

describe('the flake of a release', needs(flakes), () => {
  const world = mkdtempSync(join(tmpdir(), 'flake-'));
  const [tree, stub] = [join(world, 'tree'), join(world, 'nixpkgs')] as const;
  beforeAll(() => {
    for (const name of [
      'flake.nix',
      'package.json',
      'package-lock.json',
      'launchd',
      'packaging/nix',
    ])
      cpSync(join(root, name), join(tree, name), { recursive: true });
    mkdirSync(stub);
    writeFileSync(join(stub, 'flake.nix'), nixpkgs);
  });
  afterAll(() => {
    // Nix takes write permission from what it stores.
    spawnSync('chmod', ['-R', 'u+w', world]);
    removeTree(world);
  });

  /** Without a network: the one input is the stub. */
  function flake(command: string, ...argv: readonly string[]) {
    const here = ['--override-input', 'nixpkgs', `path:${stub}`, '--no-write-lock-file'];
    const store = ['--store', join(world, 'store')];
    const all = [...experimental, 'flake', command, `path:${tree}`, ...here, ...store, ...argv];
    const env = { PATH: process.env['PATH'], HOME: conf, NIX_CONF_DIR: conf };
    return spawnSync('nix', all, { encoding: 'utf8', env });
  }

  test('without the address nothing of it is evaluated', () => {
    const ran = flake('check', '--no-build');
    expect(ran.status).not.toBe(0);
    expect(ran.stderr).toContain('npm config get registry >packaging/nix/registry');
  });

  test('is what `nix flake check` and `nix flake show` take', () => {
    writeFileSync(join(tree, 'packaging/nix/registry'), 'https://registry.example/npm/\n');
    const checked = flake('check', '--no-build', ...allSystems());
    expect(checked.status, checked.stderr).toBe(0);
    const shown = flake('show', '--json', ...allSystems());
    expect(shown.status, shown.stderr).toBe(0);
    const { packages, apps, nixosModules, overlays } = JSON.parse(shown.stdout) as Set;
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Set;
    const system = {
      default: { type: 'derivation', name: `linuxkit-builder-${version as string}` },
    };
    const systems = ['aarch64-darwin', 'x86_64-darwin', 'aarch64-linux', 'x86_64-linux'];
    for (const each of systems) expect(packages).toMatchObject({ [each]: system });
    for (const each of systems)
      expect(apps).toMatchObject({ [each]: { default: { type: 'app' } } });
    expect([nixosModules, overlays]).toMatchObject([
      { default: { type: 'nixos-module' } },
      { default: { type: 'nixpkgs-overlay' } },
    ]);
  });

  // docs/install.md says how to choose a nixpkgs.
  test('has no lock, so that nixpkgs is the newest', () => {
    expect(existsSync(join(root, 'flake.lock'))).toBe(false);
    expect(readFileSync(join(root, 'docs/install.md'), 'utf8')).toContain(
      'there is no `flake.lock`',
    );
  });
});

/** What each option takes, by the words of nix-darwin's own descriptions. */
function takes(type: string, value: Json): boolean {
  if (type.startsWith('null or '))
    return value === null || takes(type.slice(8).replace(/^\((.*)\)$/, '$1'), value);
  if (/^one of/.test(type)) return type.includes(JSON.stringify(value));
  if (type.startsWith('boolean or (submodule)'))
    return typeof value === 'boolean' || (typeof value === 'object' && value !== null);
  if (type === 'systemd option') return typeof value !== 'object' || Array.isArray(value);
  if (type === 'boolean') return typeof value === 'boolean';
  if (type === 'signed integer') return Number.isInteger(value);
  if (/^(string|strings concatenated.*|absolute path)$/.test(type))
    return typeof value === 'string';
  const list = /^list of \(?(.*?)\)?$/.exec(type)?.[1];
  if (list !== undefined)
    return (
      Array.isArray(value) &&
      value.every((each) => list === 'package' || list === 'submodule' || takes(list, each as Json))
    );
  const attrs = /^\(?attribute set of (.*?)\)?$/.exec(type)?.[1];
  return (
    attrs !== undefined &&
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((each) => takes(attrs, each))
  );
}

const options = JSON.parse(
  readFileSync(join(import.meta.dirname, 'nix-darwin-options.json'), 'utf8'),
) as { readonly options: Readonly<Record<string, string>>; readonly fragments: readonly string[] };

type Types = Readonly<Record<string, string>>;
const others = JSON.parse(
  readFileSync(join(import.meta.dirname, 'other-options.json'), 'utf8'),
) as Readonly<Record<'nixos' | 'home', Types>>;

/** Each option that is set, with its value: the deepest that the data has. */
function setOptions(
  value: Json,
  types: Types,
  path: readonly string[] = [],
): [string, string, Json][] {
  const names = Object.keys(types);
  const pattern = (name: string) =>
    new RegExp(
      `^${name.replace(/[.]/g, '\\x00').replace('<name>', '[^\\x00]+').replace('*', '[^\\x00]+')}$`,
    );
  const joined = path.join('\0');
  const name = names.find((each) => pattern(each).test(joined));
  const type = name === undefined ? undefined : types[name];
  if (type === 'list of (submodule)' && Array.isArray(value))
    return value.flatMap((each: Json) => setOptions(each, types, [...path, '*']));
  const isLeaf = type !== undefined && (type.includes('boolean or') || !/submodule\)?$/.test(type));
  if (isLeaf || typeof value !== 'object' || value === null || Array.isArray(value))
    return [[path.join('.'), type ?? 'none', value]];
  return Object.entries(value).flatMap(([key, each]) => setOptions(each, types, [...path, key]));
}

/** Those of `assertions` and packages are everywhere, and what they hold is a list. */
const isEverywhere = (name: string) =>
  name.startsWith('assertions') || /^(environment\.systemP|home\.p)ackages$/.test(name);

/** The names of what is set, each of a type that takes its value. */
function checkedOptions(sets: readonly Set[], types: Types): string[] {
  return sets
    .flatMap((set) => setOptions(set, types))
    .filter(([name]) => !isEverywhere(name))
    .map(([name, type, value]) => {
      expect(type, name).not.toBe('none');
      expect(takes(type, value), `${name} is ${type}: ${JSON.stringify(value)}`).toBe(true);
      return name;
    });
}

// Behaviour 213: The nix-darwin, NixOS and home-manager modules set only options that exist, and put no key into the
// Nix store.
// Behaviour 214: With nix-darwin and NixOS, the job runs under an account of its own. On nix-darwin, the job's plist
// stays the same through upgrades, so activation interrupts no build.
describe('the module for nix-darwin', needs(evaluator), () => {
  test.each([
    ['with Nix by nix-darwin', {}],
    ['with nix.enable = false', { nixEnable: false }],
    ['switched off', { said: { enable: false } }],
  ] as const)('sets only what nix-darwin has, %s', (_, world) => {
    for (const name of checkedOptions(moduleOf('darwin', world).sets, options.options)) {
      const fragment = /^system\.activationScripts\.(\w+)/.exec(name)?.[1];
      if (fragment !== undefined) expect(options.fragments).toContain(fragment);
    }
  });

  test('tells the Nix that is there', () => {
    const plain = moduleOf('darwin').sets;
    expect(at(plain, 'nix/distributedBuilds')).toBe(true);
    expect(at(plain, 'nix/buildMachines')).toMatchObject([
      { hostName: 'nix-linuxkit', sshUser: 'builder', systems: ['aarch64-linux'] },
    ]);
    const alone = moduleOf('darwin', { nixEnable: false });
    expect(at(alone.sets, 'nix/buildMachines')).toBeUndefined();
    expect(at(alone.sets, 'environment/etc/nix/machines')).toBeUndefined();
    expect(at(alone.sets, 'environment/etc')).toMatchObject({
      'nix/machines': { text: `${alone.machinesLine}\n` },
    });
    const beside = moduleOf('darwin', { nixEnable: false, determinate: true }).sets;
    expect(at(beside, 'determinateNix/distributedBuilds')).toBe(true);
    expect(at(beside, 'nix/buildMachines')).toBeUndefined();
    expect(Object.keys(at(beside, 'environment/etc') as Set)).not.toContain('nix/machines');
  });

  test('has a plist that no setting and no version changes', () => {
    const plist = (said: Set) =>
      at(moduleOf('darwin', { said: { enable: true, ...said } }).sets, 'launchd/daemons');
    const one = plist({});
    expect(plist({ cores: 3, maxJobs: 9, port: 24084, package: '/other' })).toEqual(one);
    expect(JSON.stringify(one)).not.toContain('/nix/store');
    const template = readFileSync(
      join(root, 'launchd/org.nix-community.linuxkit-builder.plist'),
      'utf8',
    );
    for (const key of Object.keys(
      (one as { 'linuxkit-builder': { serviceConfig: Set } })['linuxkit-builder'].serviceConfig,
    ))
      if (key !== 'UserName') expect(template).toContain(`<key>${key}</key>`);
  });

  test('says the same of ssh and of the builder as configure', () => {
    const { sshConfig: ssh, machinesLine: line } = moduleOf('darwin', {
      said: { enable: true, port: 2, settings: { holdSeconds: 60 } },
    });
    const ours = '/etc/nix/linuxkit-builder';
    const stanza = {
      port: 2,
      holdSeconds: 60,
      identityFile: `${ours}/client_ed25519`,
      knownHosts: `${ours}/known_hosts`,
    };
    expect(ssh).toBe(sshConfig({ ...stanza, takenBack: [] }));
    const features = ['big-parallel', 'benchmark', 'linuxkit-builder'];
    const whole = machinesLine({
      system: 'aarch64-linux',
      maxJobs: 4,
      features,
      hostPublicKey: 'k',
    });
    // Without the key, which is not known when a configuration is evaluated.
    expect(line).toBe(whole.split(' ').slice(0, -1).join(' '));
  });

  test('makes a launcher that a shell takes', () => {
    const { launcher } = moduleOf('darwin');
    expect(launcher).not.toMatch(/@[A-Z]+@/);
    expect(spawnSync('/bin/sh', ['-n'], { input: launcher }).status).toBe(0);
  });
});

describe('the other modules', needs(evaluator), () => {
  test.each([
    ['nixos', {}],
    ['nixos', { said: { enable: false } }],
    ['home', { isDarwin: true }],
    ['home', { isDarwin: false }],
  ] as const)('%s sets only what is declared there: %j', (name, world) => {
    expect(checkedOptions(moduleOf(name, world).sets, others[name]).length).toBeGreaterThan(0);
  });

  test('home-manager of before 2026-07 has no waitForNixStore', () => {
    const { 'launchd.agents.<name>.waitForNixStore': waits, ...types } = others.home;
    expect(waits).toBe('boolean');
    checkedOptions(moduleOf('home', { isOldHome: true }).sets, types);
    const path = 'launchd/agents/linuxkit-builder/waitForNixStore';
    expect(at(moduleOf('home').sets, path)).toBe(false);
  });

  test('NixOS: a service under an account of its own, and nothing when off', () => {
    const { sets } = moduleOf('nixos');
    const service = at(sets, 'systemd/services/linuxkit-builder/serviceConfig') as Set;
    expect(service).toMatchObject({
      User: 'linuxkit-builder',
      StateDirectory: 'linuxkit-builder',
      UMask: '0077',
    });
    expect(at(sets, 'nix/buildMachines')).toMatchObject([{ systems: ['x86_64-linux'] }]);
    const off = moduleOf('nixos', { said: { enable: false } }).sets;
    expect(off.map((set) => Object.keys(set))).toEqual([['system']]);
  });

  test.each(['darwin', 'nixos', 'home'] as const)(
    '%s: Nix is told of every system that the daemon is',
    (name) => {
      const said = { enable: true, systems: ['x86_64-linux'], extraSystems: ['i686-linux'] };
      const module = moduleOf(name, { said });
      expect(module.machinesLine).toContain(' x86_64-linux,i686-linux - ');
      const parsed = parseConfig(module.settings, hostFacts('/'));
      expect(parsed).toMatchObject({ ok: true, config: { extraSystems: ['i686-linux'] } });
      const wrong = (extra: Set) => {
        const found = moduleOf(name, { said: { ...said, ...extra } });
        const all = at(found.sets, 'assertions') as readonly Set[];
        return all.filter(({ assertion }) => assertion !== true).length;
      };
      expect([wrong({}), wrong({ systems: ['aarch64-linux'] })]).toEqual([0, 1]);
      expect(wrong({ systems: ['aarch64-linux', 'x86_64-linux'], extraSystems: [] })).toBe(1);
    },
  );

  test.each(['darwin', 'nixos', 'home'] as const)(
    '%s: a part of idle in the settings leaves the other parts to the options',
    (name) => {
      const idleWith = (onDemand: Set, idle: Set) => {
        const said = { enable: true, onDemand, settings: { idle } };
        const { idle: told } = JSON.parse(moduleOf(name, { said }).settings) as { idle: Set };
        return told;
      };
      const after = { enable: true, after: '1 h' };
      expect(idleWith(after, { how: 'auto' })).toEqual({ how: 'auto', after: '1 h' });
      expect(idleWith(after, { onBattery: 'now' })).toEqual({
        how: 'stop',
        after: '1 h',
        onBattery: 'now',
      });
      expect(idleWith({ enable: false }, { onBattery: 'now' })).toMatchObject({ how: 'never' });
    },
  );

  test.each(['darwin', 'nixos', 'home'] as const)(
    '%s: settings do not contradict what Nix and ssh are told',
    (name) => {
      const said = { enable: true, systems: ['x86_64-linux'], port: 24100 };
      const given = { cores: 2, memory: 4096, disk: 20, extraSystems: ['i686-linux'] };
      const failed = (settings: Set, options: Set = given) => {
        const { sets } = moduleOf(name, { said: { ...said, ...options, settings } });
        const all = at(sets, 'assertions') as Set[];
        return all.filter(({ assertion }) => assertion !== true).map(({ message }) => message);
      };
      // Of options that are not set.
      const own = { cpus: 1, memoryMiB: 1024, diskGiB: 9, extraSystems: ['i686-linux'] };
      expect(failed(own, {})).toEqual([]);
      const ofOwn = moduleOf(name, { said: { ...said, settings: own } });
      expect(parseConfig(ofOwn.settings, hostFacts('/'))).toMatchObject({ ok: true, config: own });
      expect(ofOwn.machinesLine).toContain(' x86_64-linux,i686-linux - ');
      const idle = { how: 'save', after: '1 h' };
      expect(failed({ holdSeconds: 60, idle, port: 24100, cpus: 2 })).toEqual([]);
      for (const [name, value, option] of [
        ['port', 24101, 'port'],
        ['system', 'aarch64-linux', 'systems'],
        ['features', ['kvm'], 'supportedFeatures'],
        ['mandatoryFeatures', ['kvm'], 'mandatoryFeatures'],
        ['maxJobs', 9, 'maxJobs'],
        ['protocol', 'ssh', 'protocol'],
        ['speedFactor', 3, 'speedFactor'],
        ['cpus', 3, 'cores'],
        ['memoryMiB', 1024, 'memory'],
        ['diskGiB', 9, 'disk'],
        ['extraSystems', [], 'extraSystems'],
      ] as const)
        expect(failed({ [name]: value })).toEqual([
          expect.stringContaining(`Instead of settings.${name}, set ${option}.`),
        ]);
    },
  );

  test.each([true, false])('home-manager: a job of the user’s (on a Mac: %s)', (isDarwin) => {
    const { sets } = moduleOf('home', { isDarwin });
    expect(
      at(
        sets,
        isDarwin
          ? 'launchd/agents/linuxkit-builder/config/Label'
          : 'systemd/user/services/linuxkit-builder/Service/Type',
      ),
    ).toBeTypeOf('string');
    expect(
      at(
        sets,
        isDarwin ? 'systemd/user/services/linuxkit-builder' : 'launchd/agents/linuxkit-builder',
      ),
    ).toBeUndefined();
    expect(moduleOf('home', { isDarwin, said: { enable: false } }).sets).toEqual([]);
  });
});

describe('words of somebody else’s', needs(evaluator), () => {
  const home = '/home/Jörg O\'N "x" 100% $y & \\z';

  test('home-manager: the unit says each as one', () => {
    const { sets } = moduleOf('home', { isDarwin: false, home });
    const service = at(sets, 'systemd/user/services/linuxkit-builder/Service') as Set;
    const directory = `${home}/.cache/nix-linuxkit-builder`;
    expect(service['ExecStart']).toBe(
      [`"${stored}daemon"`, 'daemon', '--managed', '--directory', unitWord(directory)].join(' '),
    );
    expect(service['Environment']).toEqual([
      unitWord('LINUXKIT_BUILDER_DECLARED_BY=home-manager', false),
      unitWord(`LINUXKIT_BUILDER_DIR=${directory}`, false),
    ]);
    const lines = (service['Environment'] as string[]).map((word) => `Environment=${word}\n`);
    const place = { kind: 'systemd', scope: 'user', path: '/p' } as const;
    expect(declaredIn(lines.join(''), place)).toEqual({
      ...place,
      by: 'home-manager',
      directory,
    });
  });

  test('home-manager: activation puts the launcher where launchd is told that it is', () => {
    const { sets } = moduleOf('home', { home });
    const script = at(sets, 'home/activation/linuxkit-builder') as string;
    const ran = spawnSync('/bin/sh', ['-euc', `run() { printf '%s\\n' "$@"; }\n${script}`], {
      encoding: 'utf8',
    });
    const launcher = `${home}/Library/Application Support/linuxkit-builder/declared/linuxkit-builder`;
    expect(ran.stdout.split('\n')).toEqual(expect.arrayContaining([launcher, dirname(launcher)]));
    expect(ran.stdout.split('\n')).toContain(`${home}/.cache/nix-linuxkit-builder`);
    const config = at(sets, 'launchd/agents/linuxkit-builder/config') as Set;
    expect(config['ProgramArguments']).toEqual([launcher]);
  });

  test('nix-darwin: a group is one', () => {
    using mac = fakeMac();
    mkdirSync(join(mac.tree, 'var/lib'));
    writeFileSync(
      join(mac.bin, 'install'),
      `#!/bin/sh\nprintf '%s|' "$@" >'${mac.tree}/installed'\nfor last; do :; done; mkdir -p "$last"\n`,
    );
    const { sets } = moduleOf('darwin', { said: { enable: true, group: "staff's $(friends)" } });
    const on = at(sets, 'system/activationScripts/extraActivation/text') as string;
    expect(mac.run(on)).toMatchObject({ status: 0, err: '' });
    expect(readFileSync(join(mac.tree, 'installed'), 'utf8')).toContain("|-g|staff's $(friends)|");
  });
});

describe('what the job of a module runs', needs(evaluator), () => {
  const ran = (settings: Set, hasImage: boolean): readonly string[] => {
    const folder = mkdtempSync(join(tmpdir(), 'module-job-'));
    const [program, calls] = [join(folder, 'bin/linuxkit-builder'), join(folder, 'calls')];
    mkdirSync(join(folder, 'bin'));
    writeFileSync(
      program,
      `#!/bin/sh\necho "$*" >>'${calls}'\n[ "$2" != info ] || exit ${hasImage ? 0 : 66}\n`,
      { mode: 0o755 },
    );
    const { daemon } = moduleOf('nixos', { said: { enable: true, package: folder, settings } });
    const { status } = spawnSync('/bin/sh', ['-c', daemon, 'sh', 'daemon', '--managed']);
    const all = readFileSync(calls, 'utf8').trim().split('\n');
    removeTree(folder);
    expect(status).toBe(0);
    return all;
  };
  const of = '-d /var/lib/linuxkit-builder';

  test('asks the program for the image, and makes one where there is none', () => {
    expect(ran({}, true)).toEqual([`image info ${of}`, 'daemon --managed']);
    expect(ran({}, false)).toEqual([`image info ${of}`, `image build ${of}`, 'daemon --managed']);
  });

  test('makes none where another is named', () => {
    expect(ran({ bundle: '/srv/guest' }, false)).toEqual(['daemon --managed']);
  });

  test.each(['darwin', 'nixos'] as const)(
    '%s refuses a door that it does not tell ssh of',
    (name) => {
      const failed = (settings: Set) =>
        (
          at(
            moduleOf(name, { said: { enable: true, systems: ['x86_64-linux'], settings } }).sets,
            'assertions',
          ) as Set[]
        )
          .filter(({ assertion }) => assertion !== true)
          .map(({ message }) => message);
      expect(failed({ door: 'unix' })).toEqual([expect.stringContaining('settings.door')]);
      expect(failed({ door: 'tcp' })).toEqual([]);
      expect(failed({})).toEqual([]);
    },
  );
});

/** Commands of macOS that keep what they are told in files, and a `prepare` that makes what ours does. */
function fakeMac() {
  const tree = mkdtempSync(join(tmpdir(), 'darwin-'));
  const bin = join(tree, 'bin');
  mkdirSync(join(tree, 'accounts'), { recursive: true });
  for (const path of [bin, 'etc/nix', 'var', 'Library/Application Support', 'usr/bin'].map((each) =>
    resolve(tree, each),
  ))
    mkdirSync(path, { recursive: true });
  const put = (name: string, body: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  const accounts = join(tree, 'accounts');
  put(
    'dscl',
    `shift
record='${accounts}/'$(echo "$2" | tr / .)
case $1 in
-read) [ -e "$record" ] || exit 56; [ -z "$3" ] || sed -n "s/^$3 /$3: /p" "$record" ;;
-create) echo "$3 $4" >>"$record" ;;
-delete) rm "$record" ;;
esac`,
  );
  put('id', `sed -n 's/^UniqueID //p' '${accounts}/.Users.'"$2" 2>/dev/null | grep .`);
  put('install', `for last; do :; done; mkdir -p "$last"`);
  put(
    'sudo',
    `[ -e '${tree}/var/lib/linuxkit-builder' ] || exit 1
touch '${tree}/var/lib/linuxkit-builder/.linuxkit-builder'
echo "ssh-ed25519 ${'A'.repeat(68)}"`,
  );
  put('find', `[ ! -e "$1" ] || echo "$1"`);
  return {
    tree,
    bin,
    /** A fragment with our tree in the place of /. */
    run(fragment: string) {
      const here = fragment
        .replace(/\/usr\/bin\/(dscl|id|install|sudo)\b/g, `${bin}/$1`)
        .replaceAll('/util-linux/bin/runuser', `${bin}/sudo`)
        .replace(/(?<![\w.}])\/(etc\/nix|var\/lib|Library)\b/g, `${tree}/$1`)
        .replace(/\/nix\/store\/0+-linuxkit-builder-launcher/g, join(tree, 'stored-launcher'));
      // Nothing of this machine is named any more.
      expect(here.replaceAll(tree, '@')).not.toMatch(
        /(?<![@\w.])\/(etc|var|Library|Users|usr\/bin\/(dscl|sudo))\b(?!\/_)/,
      );
      writeFileSync(join(tree, 'stored-launcher'), 'the launcher\n');
      const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}` };
      const ran = spawnSync('/bin/sh', ['-euc', here], { encoding: 'utf8', env });
      rmSync(join(tree, 'stored-launcher'));
      return { status: ran.status, out: ran.stdout, err: ran.stderr };
    },
    [Symbol.dispose]: () => removeTree(tree),
  };
}

// Behaviour 215: Activating the nix-darwin module a second time changes nothing. Switching the module off restores
// the machine to what it was, and leaves another user's builder alone.
// Behaviour 216: If the machine has a builder that was not declared by the nix-darwin or NixOS module, the module
// leaves that builder and its files as they are, and names the remedy. On nix-darwin, the activation fails; on NixOS,
// the service does not start.
test('activation of nix-darwin, twice, and then off', needs(evaluator), () => {
  using mac = fakeMac();
  const fragment = (said: Set, name: string) =>
    at(moduleOf('darwin', { said }).sets, `system/activationScripts/${name}/text`) as string;
  const on = fragment({ enable: true }, 'extraActivation');
  const off = fragment({ enable: false }, 'postActivation');
  mkdirSync(join(mac.tree, 'var/lib'));
  const before = snapshot(mac.tree);
  expect(mac.run(off)).toEqual({ status: 0, out: '', err: '' });
  expect(snapshot(mac.tree)).toEqual(before);

  const first = mac.run(on);
  expect(first).toMatchObject({ status: 0, err: '' });
  expect(first.out).toContain(
    'sudo launchctl kickstart -k system/org.nix-community.linuxkit-builder',
  );
  const ours = join(mac.tree, 'etc/nix/linuxkit-builder');
  expect(readFileSync(join(ours, 'known_hosts'), 'utf8')).toBe(
    `nix-linuxkit ssh-ed25519 ${'A'.repeat(68)}\n`,
  );
  expect(readInstalled(join(ours, 'installed.json'))).toMatchObject({
    owner: { name: '_linuxkit-builder', uid: 347 },
    declared: { by: 'nix-darwin' },
  });
  expect(
    existsSync(join(mac.tree, 'Library/Application Support/linuxkit-builder/linuxkit-builder')),
  ).toBe(true);
  const made = snapshot(mac.tree);
  expect(mac.run(on)).toEqual({ status: 0, out: '', err: '' });
  expect(snapshot(mac.tree)).toEqual(made);
  expect(mac.run(off)).toEqual({ status: 0, out: '', err: '' });
  expect(snapshot(mac.tree)).toEqual(before);

  // Somebody's own, by configure.
  mkdirSync(ours);
  writeFileSync(join(ours, 'installed.json'), '{"version": 2, "owner": {}}');
  const theirs = snapshot(mac.tree);
  mac.run(off);
  expect(snapshot(mac.tree)).toEqual(theirs);
  const refused = mac.run(on);
  expect(refused.status).toBe(1);
  expect(refused.err).toContain('linuxkit-builder unconfigure');
  expect(snapshot(mac.tree)).toEqual(theirs);
});

test('the service of NixOS, twice, and then off', needs(evaluator), () => {
  using machine = fakeMac();
  const { tree } = machine;
  const of = (said: Set, path: string) =>
    at(moduleOf('nixos', { said, isWritten: true }).sets, path) as string;
  const config = 'systemd/services/linuxkit-builder/serviceConfig/ExecStartPre';
  const on = of({ enable: true }, config).replace(/^\+/, '');
  const off = of({ enable: false }, 'system/activationScripts/linuxkit-builder-gone');
  mkdirSync(join(tree, 'var/lib'));
  writeFileSync(join(tree, 'accounts/.Users.linuxkit-builder'), 'UniqueID 994\n');
  const before = snapshot(tree);
  expect(machine.run(off)).toEqual({ status: 0, out: '', err: '' });
  expect(snapshot(tree)).toEqual(before);

  // systemd makes it before.
  mkdirSync(join(tree, 'var/lib/linuxkit-builder'));
  expect(machine.run(on)).toEqual({ status: 0, out: '', err: '' });
  const ours = join(tree, 'etc/nix/linuxkit-builder');
  expect(readInstalled(join(ours, 'installed.json'))).toMatchObject({
    owner: { name: 'linuxkit-builder', uid: 994 },
    declared: { by: 'NixOS' },
  });
  const made = snapshot(tree);
  expect(machine.run(on)).toEqual({ status: 0, out: '', err: '' });
  expect(snapshot(tree)).toEqual(made);
  expect(machine.run(off)).toEqual({ status: 0, out: '', err: '' });
  expect(snapshot(tree)).toEqual(before);

  // Somebody's own, by configure.
  mkdirSync(join(tree, 'var/lib/linuxkit-builder'));
  mkdirSync(ours);
  writeFileSync(join(ours, 'installed.json'), '{"version": 2, "owner": {}}');
  const theirs = snapshot(tree);
  expect(machine.run(off)).toEqual({ status: 0, out: '', err: '' });
  expect(machine.run(on)).toMatchObject({ status: 1 });
  expect(snapshot(tree)).toEqual(theirs);
});

// What docs say of keys that may have been copied: they are deleted, and the module makes others.
test.each([
  ['darwin', 'system/activationScripts/extraActivation/text', '_linuxkit-builder'],
  ['nixos', 'systemd/services/linuxkit-builder/serviceConfig/ExecStartPre', 'linuxkit-builder'],
] as const)(
  "a key of root's that was deleted is made anew: %s",
  needs(evaluator),
  (name, path, account) => {
    using machine = fakeMac();
    const { sets } = moduleOf(name, { said: { enable: true }, isWritten: name === 'nixos' });
    const on = (at(sets, path) as string).replace(/^\+/, '');
    mkdirSync(join(machine.tree, 'var/lib/linuxkit-builder'), { recursive: true });
    writeFileSync(join(machine.tree, `accounts/.Users.${account}`), 'UniqueID 347\n');
    const key = join(machine.tree, 'etc/nix/linuxkit-builder/client_ed25519');
    const keys = [1, 2].map(() => {
      expect(machine.run(on)).toMatchObject({ status: 0, err: '' });
      const found = {
        private: readFileSync(key, 'utf8'),
        public: readFileSync(`${key}.pub`, 'utf8'),
      };
      rmSync(key);
      return found;
    });
    expect(new Set(keys.map((each) => each.private)).size).toBe(2);
    expect(new Set(keys.map((each) => each.public)).size).toBe(2);
  },
);

/** Folders with the real things: of a user's machine, or of a public CI. */
const { NIX_DARWIN, NIXPKGS_LIB } = process.env;
const sources: Need = {
  what: 'the sources of nix-darwin and nixpkgs (NIX_DARWIN, NIXPKGS_LIB)',
  isMet: NIX_DARWIN !== undefined && NIXPKGS_LIB !== undefined,
};

describe('on the real nix-darwin (NIX_DARWIN, NIXPKGS_LIB)', needs(evaluator, sources), () => {
  const real = (said: Set) =>
    evaluate(
      `import ${root}/test/packaging/real.nix { nixDarwin = ${NIX_DARWIN ?? ''}; nixpkgsLib = ${NIXPKGS_LIB ?? ''}; said = ${text(said)}; }`,
    ) as Readonly<Record<'plist' | 'machines' | 'ssh' | 'activation', string | null>> & {
      readonly failed: readonly string[];
    };
  const enabled = (more: Set = {}): Set => ({
    services: { 'linuxkit-builder': { enable: true, ...more } },
  });
  const parses = (script: string | null) =>
    spawnSync('bash', ['-n'], { input: script ?? 'x (', encoding: 'utf8' });

  test('switched on, all that it makes is as it has to be', () => {
    const { failed, plist, machines, ssh, activation } = real(enabled());
    expect(failed).toEqual([]);
    expect(machines).toContain('ssh-ng://builder@nix-linuxkit aarch64-linux - 4 1 ');
    expect(ssh).toContain('HostKeyAlias nix-linuxkit');
    expect(parse(plist ?? '')).toMatchObject({
      UserName: '_linuxkit-builder',
      KeepAlive: { SuccessfulExit: false },
    });
    expect(activation).toContain('_linuxkit-builder');
    expect(parses(activation)).toMatchObject({ status: 0, stderr: '' });
  });

  test('with nix.enable = false the list is written all the same', () => {
    const { failed, machines } = real({ ...enabled(), nix: { enable: false } });
    expect(failed).toEqual([]);
    expect(machines).toContain('ssh-ng://builder@nix-linuxkit');
  });

  test('two systems are refused in words', () => {
    const { failed } = real(enabled({ systems: ['aarch64-linux', 'x86_64-linux'] }));
    expect(failed).toEqual([expect.stringContaining('must name exactly one system')]);
  });

  test('switched off, only the fragment that cleans up is left', () => {
    const { plist, ssh, activation } = real({
      services: { 'linuxkit-builder': { enable: false } },
    });
    expect([plist, ssh]).toEqual([null, null]);
    expect(activation).toContain('linuxkit-builder is not declared');
    expect(parses(activation)).toMatchObject({ status: 0, stderr: '' });
  });
});
