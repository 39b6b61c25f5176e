import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { routingOf, type Derivation, type RoutingFacts } from '../../src/nix/build-routing.ts';
import { buildersHint, nixConflicts } from '../../src/nix/conflicts.ts';
import { toDebug } from '../../src/nix/derivation/to-debug.ts';
import { exampleNix } from '../../src/nix/example.ts';
import {
  describeLost,
  extraSystemProblems,
  extraSystemWarnings,
} from '../../src/nix/extra-systems.ts';
import { featureProblems, featureWarnings } from '../../src/nix/features.ts';
import { notRegistered } from '../../src/nix/registration.ts';
import { findHelper } from '../../src/nix/ssh/door-helper.ts';
import { newerOptions } from '../../src/nix/ssh/newer.ts';
import { describeRefused, removeLine } from '../../src/nix/ssh/refused.ts';
import { unfinishedFault } from '../../src/nix/ssh/unfinished.ts';
import { describeLeft, leftFor } from '../../src/nix/ssh/taken-back.ts';
import { describeNix, type NixVariant } from '../../src/nix/variant.ts';
import { openToOthers, warningsOf } from '../../src/nix/warnings.ts';
import { describeListFault, listFaults, theSetting } from '../../src/nix/settings/list-faults.ts';
import { OthersFiles } from '../../src/system/files/others-files.ts';
import { layoutOf } from '../../src/config/layout.ts';
import { rootPaths, systemPathsOf } from '../../src/host/system-paths.ts';
import { directoryShownAs, tells } from './tell.ts';
import { plainly, type Text } from '../../src/system/advice.ts';

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
    maxJobs: 8,
    features: ['benchmark'],
    builders: '@/etc/nix/machines',
  },
  ours: {
    store: 'ssh-ng://builder@nix-linuxkit',
    systems: ['aarch64-linux'],
    maxJobs: 4,
    features: ['big-parallel'],
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
const ours = (changes: Partial<NonNullable<RoutingFacts['ours']>>): RoutingFacts => ({
  ...mac,
  ours: { ...(mac.ours as NonNullable<RoutingFacts['ours']>), ...changes },
});
const x86 = ours({ systems: ['x86_64-linux'] });

const routed = (build: Partial<Derivation>, world: RoutingFacts): string[] => {
  const { answer, reasons } = routingOf({ ...drv, ...build }, world);
  const lines = reasons.map(
    ({ holds, text, remedy }) =>
      `${holds ? 'yes' : 'no '}  ${text}${remedy === undefined ? '' : ` (${plainly(remedy)})`}`,
  );
  return [answer, ...lines];
};

const tree = directoryShownAs('/tree');
/** Conflicts of a machine with these files and this environment. */
function conflicts(
  name: string,
  files: Readonly<Record<string, string>>,
  env: NodeJS.ProcessEnv = {},
  ownSystem = 'aarch64-darwin',
  variant = nix({}),
): string[] {
  const root = join(tree, name);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return nixConflicts({
    systemPaths: systemPathsOf(root),
    tree: root,
    system: 'x86_64-linux',
    ownSystem,
    env,
    variant,
  }).flatMap(({ message, hint }) => [message, hint]);
}

const nix = (changes: Partial<NixVariant>): NixVariant => ({
  flavour: 'nix',
  keeper: 'person',
  declaresNix: false,
  mode: 'multi-user',
  version: '2.30',
  release: undefined,
  settingsFile: '/etc/nix/nix.conf',
  restart: 'sudo systemctl restart nix-daemon',
  ...changes,
});
const unit = (line: string) => ({
  'etc/systemd/system/nix-daemon.service': `[Service]\nEnvironment="${line}"\n`,
});

/** What is said of a list of builders with this text. */
function listed(
  text: string,
  version = '2.30',
  builders?: Parameters<typeof listFaults>[0]['builders'],
): string[] {
  const machines = join(tree, 'list');
  writeFileSync(machines, text);
  const faults = listFaults({ machines, builders, others: new OthersFiles() });
  return faults.flatMap(
    (fault) =>
      describeListFault(fault, nix({ version: version === '' ? undefined : version })) ?? [],
  );
}

const hash = 'lss87m7gv2hzxafnn0f8r7jwzv8fhrkj';
/** What `debug` says of a derivation with this text. */
function debugged(name: string, text?: string): unknown {
  const path = `/nix/store/${hash}-${name}.drv`;
  mkdirSync(join(tree, 'nix/store'), { recursive: true });
  if (text !== undefined) writeFileSync(join(tree, path), text);
  return toDebug(path, tree);
}
const derive = (output: string, builder: string) =>
  `Derive([("out","${output}","","")],[],[],"x86_64-linux","${builder}",[],[("name","x")])`;

const owned = (name: string, record?: object): Text => {
  const root = join(tree, name);
  const { installed } = rootPaths(systemPathsOf(root));
  mkdirSync(dirname(installed), { recursive: true });
  if (record !== undefined) writeFileSync(installed, JSON.stringify(record));
  return notRegistered(layoutOf('/builder'), { env: { LINUXKIT_BUILDER_TREE: root } }) ?? '';
};
const [option] = newerOptions('lo');
const unfinished = (commands: string, stuck?: string) => {
  const { what, remedy } = unfinishedFault(commands, stuck);
  return [what, remedy];
};

const left = (why: string) =>
  option === undefined
    ? []
    : describeLeft([{ option, value: 'none', why }], () => ' (/etc/ssh/ssh_config, line 3)');

tells('nix', {
  'Where a build goes': {
    'to the builder': () => routed({}, mac),
    'nowhere: it is built': () => routed({}, { ...mac, isBuilt: true }),
    'here or there': () => routed({}, linux),
    'stays, by its own wish': () => routed({ preferLocal: true }, linux),
    'stays, since the builder is not in the list': () => routed({}, { ...linux, ours: undefined }),
    'Nix does it itself': () =>
      routed({ system: 'builtin', builtin: true, preferLocal: true }, mac),
    'later: the builder boots': () =>
      routed({}, { ...mac, builder: { phase: 'booting', builds: 'later' } }),
    'to others, too': () => routed({}, { ...mac, external: ['aarch64-linux'] }),
  },
  'Why a build goes nowhere': {
    'nothing is set up': () =>
      routed({}, { ...mac, ours: undefined, isSetUp: false, builder: undefined }),
    'the daemon is not running': () => routed({}, { ...mac, builder: undefined }),
    "it is another user's": () => {
      const others = { ...mac, builder: undefined, isSetUp: false, othersName: 'ann' };
      return [...routed({}, others), ...routed({}, { ...others, ours: undefined })];
    },
    'the builder is drained': () =>
      routed({}, { ...mac, builder: { phase: 'ready', builds: 'now', isDrained: true } }),
    'the daemon has given up': () =>
      routed({}, { ...mac, builder: { phase: 'failed', builds: 'not' } }),
    'a file cannot be read': () =>
      routed(
        {},
        { ...mac, ours: undefined, unread: new Map([['/etc/nix/machines', 'permission denied']]) },
      ),
    'the list is malformed': () =>
      routed({}, { ...mac, malformed: 'line 3: column 1 must be a store URL' }),
    'the list is not read': () => routed({}, { ...mac, hidden: 'ssh://other' }),
    'the line has no jobs': () => routed({}, ours({ maxJobs: 0 })),
    'another system': () => routed({ system: 'x86_64-linux' }, mac),
    'a system that the guest may run': () => routed({ system: 'i686-linux' }, x86),
    'a system that the guest does not run': () =>
      routed(
        { system: 'i686-linux' },
        { ...ours({ systems: ['x86_64-linux', 'i686-linux'] }), lost: ['i686-linux'] },
      ),
    'a feature that is not offered': () => routed({ features: ['mine'] }, mac),
    'a feature that is misspelt': () => routed({ features: ['big_parallel'] }, mac),
    kvm: () => routed({ features: ['kvm'] }, mac),
    'a feature that no guest has': () =>
      routed({ features: ['uid-range'] }, ours({ features: ['uid-range'] })),
    'features that this machine lacks': () => routed({ features: ['big-parallel'] }, linux),
    'the builder is kept for others': () => routed({}, ours({ mandatory: ['kvm'] })),
  },
  'Settings that take builds elsewhere': {
    builders: () => conflicts('builders', { 'etc/nix/nix.conf': 'builders = ssh://other\n' }),
    'builders of yours': () =>
      conflicts('yours', { 'user.conf': 'builders =\n' }, { NIX_USER_CONF_FILES: '/user.conf' }),
    'NIX_REMOTE_SYSTEMS of yours': () => conflicts('systems', {}, { NIX_REMOTE_SYSTEMS: '/x' }),
    "NIX_REMOTE_SYSTEMS of nix-daemon's": () => conflicts('daemons', unit('NIX_REMOTE_SYSTEMS=/x')),
    'external-builders': () =>
      conflicts('external', {
        'etc/nix/nix.conf':
          'external-builders = [{"systems":["x86_64-linux"],"program":"/x","args":[]}]\n',
      }),
    'external-builders that are malformed': () =>
      conflicts('malformed', { 'etc/nix/nix.conf': 'external-builders = [{\n' }),
    'this machine builds, too': () => conflicts('own', {}, {}, 'x86_64-linux'),
    'this machine builds, with jobs': () =>
      conflicts('jobs', { 'etc/nix/nix.conf': 'max-jobs = 4\n' }, {}, 'x86_64-linux'),
    'Nix refuses its settings': () =>
      (['all', 'daemon', 'yours'] as const).flatMap((whose) =>
        conflicts('refused', {}, {}, undefined, nix({ refused: { whose, words: 'error: no' } })),
      ),
    'another store': () => conflicts('store', { 'etc/nix/nix.conf': 'store = ssh://other\n' }),
    'another store, by the environment': () => conflicts('remote', {}, { NIX_REMOTE: 'ssh://x' }),
    'other settings': () => conflicts('folder', {}, { NIX_CONF_DIR: '/elsewhere' }),
    'no builders at all': () => conflicts('hook', { 'etc/nix/nix.conf': 'build-hook =\n' }),
    'a file that cannot be read': () => {
      mkdirSync(join(tree, 'odd/etc/nix/odd.conf'), { recursive: true });
      return conflicts('odd', { 'etc/nix/nix.conf': '!include odd.conf\n' });
    },
    'builders, by a configuration': () =>
      buildersHint('/nix/store/x-nix.conf', '/etc/nix/machines'),
  },
  'Warnings of configure': {
    'there is no Nix': () =>
      warningsOf({
        systemPaths: systemPathsOf(join(tree, 'none')),
        tree: join(tree, 'none'),
        variant: undefined,
        system: 'x86_64-linux',
        ownSystem: undefined,
        env: {},
      }),
    'Nix refuses its settings': () =>
      warningsOf({
        systemPaths: systemPathsOf(join(tree, 'builders')),
        tree: join(tree, 'builders'),
        variant: nix({ refused: { whose: 'all', words: 'error: no such setting' } }),
        system: 'x86_64-linux',
        ownSystem: undefined,
        env: {},
      }).slice(0, 1),
    'the list of builders is malformed': () =>
      listed('- -\nssh://a - - x\nssh://b - - 1 fast\nssh://c - - 1 1 - - *\n'),
    'a file that the list takes in is malformed': () => {
      mkdirSync(join(tree, 'more'), { recursive: true });
      writeFileSync(join(tree, 'more/more'), '# mine\nssh://a - - x\n');
      return listed(
        `@${join(tree, 'more/more')}\n@${join(tree, 'more')}\n@${join(tree, 'list')}\n`,
      );
    },
    'what the setting says is malformed': () =>
      listed('', '2.30', { file: theSetting, value: '- x', line: undefined }),
    'older Nix reads it otherwise': () =>
      listed('ssh://a - - 1 1.5\n  # mine\nssh://b # ; a comment - x\n', ''),
    'the configuration of ssh is open to others': () =>
      openToOthers('/Volumes/Ann Lee/.ssh/config'),
  },
  'A system beside that of the guest': {
    'does not belong to it': () =>
      extraSystemProblems({ system: 'aarch64-linux', extraSystems: ['i686-linux'] }, true),
    'is not run': () =>
      extraSystemProblems({ system: 'x86_64-linux', extraSystems: ['i686-linux'] }, false),
    'is not known to run': () =>
      extraSystemWarnings({ system: 'x86_64-linux', extraSystems: ['i686-linux'] }, undefined),
    'is not run any more': () => describeLost(['i686-linux']),
  },
  'A feature': {
    'is misspelt': () => featureProblems(['big_parallel'], true),
    'needs another': () => featureProblems(['nixos-test'], true),
    'is not there': () => featureProblems(['kvm'], false),
    'is not known to be there': () => featureWarnings(['kvm'], undefined),
    'is experimental': () => featureProblems(['ca-derivations'], true),
    'needs a setting': () => featureProblems(['uid-range'], true),
    'is of a Mac': () => featureProblems(['apple-virt'], true),
  },
  'Nix does not know the builder': {
    'it knows none': () => owned('unknown'),
    "it knows another user's": () =>
      owned('other', { owner: { name: 'ann', uid: 501, directory: '/Users/ann/builder' } }),
  },
  'A derivation that cannot be debugged': {
    'it is no path': () => toDebug('./x', tree),
    'it is not in the store': () => debugged('missing'),
    'it is not readable': () => {
      mkdirSync(join(tree, `nix/store/${hash}-folder.drv`), { recursive: true });
      return debugged('folder');
    },
    'it is of another kind': () => debugged('odd', 'DrvWithVersion("xp-dyn-drv",[])'),
    'Nix builds it itself': () =>
      debugged('fetch', derive(`/nix/store/${hash}-x`, 'builtin:fetchurl')),
    'its outputs are named by content': () =>
      debugged('content', derive('', '/bin/sh').replace('"","",""', '"","r:sha256",""')),
    'it waits for one whose outputs are': () => debugged('waits', derive('', '/bin/sh')),
  },
  'How ssh reaches the builder': {
    'no program can': () =>
      findHelper({ helpers: [['/none/perl'], ['/none/nc']], signal: new AbortController().signal }),
    'an option of others stays': () => [
      ...left(leftFor.passedOver),
      ...left(leftFor.named),
      ...left(leftFor.unknown('/opt/ssh/bin/ssh')),
    ],
    'ssh does not accept its configuration': () =>
      describeRefused({ what: '~/.ssh/config line 3: Bad port', remedy: removeLine }),
    'ssh waits for a command': () => unfinished('/etc/ssh/ssh_config, line 3'),
    'ssh waits for a fifo': () => unfinished('', '/home/ann/.ssh/fifo'),
    'ssh waits': () => unfinished(''),
  },
  'This Nix': {
    'of a person': () => describeNix(nix({})),
    'by nix-darwin': () => describeNix(nix({ keeper: 'nix-darwin', declaresNix: true })),
    'beside nix-darwin': () => describeNix(nix({ keeper: 'nix-darwin' })),
    'by NixOS': () => describeNix(nix({ keeper: 'nixos', declaresNix: true })),
    'Determinate Nix': () =>
      describeNix(nix({ flavour: 'determinate', keeper: 'determinate', release: '3.8.4' })),
  },
  'The example': { 'as configure writes it': () => exampleNix('x86_64-linux') },
});
