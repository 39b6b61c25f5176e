import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { vmProblems } from '../../src/config/combinations.ts';
import { describeChange } from '../../src/config/config-changes.ts';
import { checkConfig, parseConfig, type HostFacts } from '../../src/config/config.ts';
import { instance } from '../../src/config/instance.ts';
import { layoutOf, maxSocketPath, stateDirectoryProblems } from '../../src/config/layout.ts';
import { notSetUp } from '../../src/config/not-set-up.ts';
import { readSettings, unreadable } from '../../src/config/read-settings.ts';
import { settingRows } from '../../src/config/settings.ts';
import { directoryShownAs, shownAs, tells, type States } from './tell.ts';

const host: HostFacts = {
  arch: 'x64',
  platform: 'linux',
  cpus: 4,
  memoryMiB: 16384,
  diskGiB: 200,
  diskFreeGiB: 150,
};
const mac: HostFacts = { ...host, platform: 'darwin' };
const appleMac: HostFacts = { ...mac, arch: 'arm64' };

const wrong = (json: unknown, here: HostFacts = host) => {
  const parsed = checkConfig(json, here);
  return parsed.ok ? undefined : parsed.problems;
};
/** Each Node says it in other words. */
function parserSays(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch (error) {
    return (error as Error).message;
  }
}

const tree = directoryShownAs('/builder');
const settingsIn = (name: string, make: (path: string) => void) => {
  const layout = layoutOf(join(tree, name));
  mkdirSync(layout.root);
  make(layout.config);
  return readSettings(layout).problems;
};

const helped: States = Object.fromEntries(
  settingRows.map(([name, { flags = [], page }]) => [
    name,
    () => [...flags.map((flag) => `${flag.flags}: ${flag.help}`), ...page.flat()],
  ]),
);

/** Each value that a setting does not take. */
const refused: States = Object.fromEntries(
  [
    { cpus: '2' },
    { cpus: 0 },
    { port: 70_000 },
    { door: 'http' },
    { protocol: 'https' },
    { vm: 'vmware' },
    { system: 'riscv64-linux' },
    { extraSystems: ['armv7l-linux'] },
    { network: 'slirp' },
    { accelerator: 'fast' },
    { bundle: 'relative' },
    { features: 'kvm' },
    { features: ['a b'] },
    { keepAwake: 'yes' },
    { autostart: 'never' },
    { idle: 'never' },
    { idle: { after: 600 } },
    { idle: { after: '9 s' } },
    { idle: { how: 'sleep' } },
    { idle: { onBattery: 'later' } },
    { start: 'never' },
    { hostPorts: Array.from({ length: 33 }, (_, n) => n + 1) },
    { acceptOldImage: 1 },
    { imageUpdates: 'yes' },
    { snapshots: 'ftp://x' },
  ].map((json) => [JSON.stringify(json).replace(/1,2,.*33/, '1, ..., 33'), () => wrong(json)]),
);

tells('config', {
  'The settings, in help and on their page': helped,
  'A value that a setting does not take': refused,
  'config.json': {
    'it is missing': () => settingsIn('missing', () => undefined),
    'nothing is set up': () => notSetUp({ root: '/builder' }),
    'it is no file': () => settingsIn('no-file', (path) => mkdirSync(path)),
    'it is no regular file': () => settingsIn('fifo', (path) => execFileSync('mkfifo', [path])),
    'it may not be read': () =>
      unreadable(
        { config: '/builder/config.json' },
        Object.assign(new Error('EACCES'), { code: 'EACCES' }),
      ),
    'it is no JSON': () => {
      shownAs(parserSays('{'), 'what the parser says');
      return settingsIn('no-json', (path) => writeFileSync(path, '{'));
    },
    'it is no object': () => {
      const parsed = parseConfig('[]', host);
      return parsed.ok ? undefined : parsed.problems;
    },
    'a name is no setting': () => wrong({ memory: 4096 }),
    'several are wrong': () => wrong({ cpus: 0, port: 0, memoryMiB: 1 }),
    'its lines in a file of others are marked': () => [instance.marks.begin, instance.marks.end],
    'a setting changes': () => describeChange({ name: 'cpus', from: 2, to: 4 }),
  },
  'More than this machine has': {
    CPUs: () => wrong({ cpus: 5 }),
    'CPUs, of which it has one': () => wrong({ cpus: 2 }, { ...host, cpus: 1 }),
    memory: () => wrong({ memoryMiB: 20_000 }),
    'memory, in a container': () => wrong({ memoryMiB: 20_000 }, { ...host, isLimited: true }),
    disk: () => wrong({ diskGiB: 201 }),
    'any disk': () => wrong({ diskGiB: 1 }, { ...host, diskGiB: 1 }),
  },
  'What does not go together': {
    'a network and a VM program': () => wrong({ vm: 'qemu', network: 'vpnkit' }),
    'a VM program and a processor': () => wrong({ vm: 'hyperkit' }, appleMac),
    'another VM program and a processor': () =>
      vmProblems({ vm: 'hyperkit' }, { arch: 'arm64', platform: 'darwin' }),
    'a VM program and a foreign guest': () =>
      wrong({ vm: 'hyperkit', system: 'aarch64-linux' }, mac),
    'a VM program and many CPUs': () => wrong({ vm: 'hyperkit', cpus: 100 }, { ...mac, cpus: 128 }),
    'an accelerator and a system': () => wrong({ accelerator: 'hvf' }),
    'an accelerator and another system': () => wrong({ accelerator: 'kvm' }, mac),
    'an accelerator and a foreign guest': () =>
      wrong({ accelerator: 'kvm', system: 'aarch64-linux' }),
  },
  'A directory that cannot be the state directory': {
    'its path is relative': () => stateDirectoryProblems('builder'),
    'its path has an odd character': () => stateDirectoryProblems('/my,builder'),
    'its path is long': () => stateDirectoryProblems(`/${'x'.repeat(maxSocketPath - 10)}`),
  },
});
