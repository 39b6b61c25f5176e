/** Who a builder is on its host. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { builderFeature, parseConfig } from '../../src/config/config.ts';
import { instance, instanceOf } from '../../src/config/instance.ts';
import { defaultStateDirectory } from '../../src/config/layout.ts';
import { agentPaths, label, launcherText } from '../../src/service/launchd/launch-agent.ts';
import { directoryOption } from '../../src/command/context.ts';
import { beginMark, endMark, withBlock } from '../../src/host/managed-block.ts';
import { rootPaths } from '../../src/host/system-paths.ts';
import { alias, sshConfig } from '../../src/nix/ssh/stanza.ts';
import { unitPath } from '../../src/service/systemd/systemd-unit.ts';
import { hostFacts } from '../../src/system/host/host.ts';

test('the only builder of a host has the names that it always had', () => {
  expect(instance).toEqual({
    name: 'default',
    stateDirectory: 'nix-linuxkit-builder',
    sshAlias: 'nix-linuxkit',
    port: 24083,
    jobLabel: 'org.nix-community.linuxkit-builder',
    unitName: 'linuxkit-builder.service',
    launcher: 'Application Support/linuxkit-builder/linuxkit-builder',
    launcherLog: 'Logs/linuxkit-builder.log',
    marks: {
      begin: '# >>> linuxkit-builder (written by its configure, which replaces changes in here)',
      end: '# <<< linuxkit-builder',
    },
    rootDirectory: 'linuxkit-builder',
    feature: 'linuxkit-builder',
    hostName: 'linuxkit-builder',
  });
});

test('every path, label and mark of it is to the byte what it was', () => {
  expect(defaultStateDirectory({}, '/h')).toBe('/h/.cache/nix-linuxkit-builder');
  expect(agentPaths('/h')).toEqual({
    plist: '/h/Library/LaunchAgents/org.nix-community.linuxkit-builder.plist',
    launcher: '/h/Library/Application Support/linuxkit-builder/linuxkit-builder',
    log: '/h/Library/Logs/linuxkit-builder.log',
  });
  expect(unitPath('/h/.config')).toBe('/h/.config/systemd/user/linuxkit-builder.service');
  const root = rootPaths({ rootHome: '/root', etcNix: '/etc/nix' });
  expect([root.directory, root.installed]).toEqual([
    '/etc/nix/linuxkit-builder',
    '/etc/nix/linuxkit-builder/installed.json',
  ]);
  expect([alias, label, builderFeature]).toEqual([
    'nix-linuxkit',
    'org.nix-community.linuxkit-builder',
    'linuxkit-builder',
  ]);
  expect(withBlock(Buffer.from(''), ['x'], 'first').toString()).toBe(
    '# >>> linuxkit-builder (written by its configure, which replaces changes in here)\nx\n# <<< linuxkit-builder\n',
  );
  const stanza = { port: 1, identityFile: '/i', knownHosts: '/k', holdSeconds: 1, takenBack: [] };
  expect(sshConfig(stanza)).toContain('HostKeyAlias nix-linuxkit\n');
  const parsed = parseConfig('{}', hostFacts('/'));
  expect(parsed.ok && parsed.config.port).toBe(24083);
  expect(parsed.ok && parsed.config.features.at(-1)).toBe('linuxkit-builder');
});

test('two builders of one host differ in everything', () => {
  const flat = (of: ReturnType<typeof instanceOf>) => {
    const { marks, ...rest } = of;
    return Object.entries({ ...rest, ...marks });
  };
  const all = [undefined, { name: 'arm', nth: 1 }, { name: 'old', nth: 2 }]
    .map(instanceOf)
    .map(flat);
  for (const n of all[0]?.keys() ?? []) {
    const values = all.map((each) => each[n]?.[1]);
    expect(new Set(values).size, String(all[0]?.[n]?.[0])).toBe(3);
  }
});

test('nobody else has one of these names in its own words', () => {
  const root = join(import.meta.dirname, '../..');
  const names = [instance.jobLabel, instance.sshAlias, instance.stateDirectory, instance.unitName];
  // linuxkit-nix had names of its own that begin so, and it is known by them.
  const literal = new RegExp(
    names.map((name) => `${name.replaceAll('.', '\\.')}(?!-configure|-ssh-config)`).join('|'),
  );
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && name !== 'config/instance.ts')
    .map((name) => `src/${name}`);
  const found = [...sources, 'launchd/launcher.sh'].filter((name) =>
    literal.test(withoutComments(readFileSync(join(root, name), 'utf8'))),
  );
  expect(found.sort()).toEqual([
    // On a floor below: what ssh says of the only builder's name.
    'src/domain/known-faults.ts',
    // What linuxkit-nix, and the release before, left in files of others under the names of the only builder.
    'src/host/root/root-lines.ts',
    // The template's own file.
    'src/service/wanted-job.ts',
    // What a person removes by hand of linuxkit-nix.
    'src/setup/legacy.ts',
  ]);
  expect([beginMark, endMark]).toEqual(Object.values(instance.marks));
});

const withoutComments = (text: string): string =>
  text.replace(/\/\*[^]*?\*\//g, '').replace(/^\s*(\/\/|#).*$/gm, '');

test('the launcher, the command line of QEMU and the help say the same as ever', () => {
  const template = readFileSync(join(import.meta.dirname, '../../launchd/launcher.sh'), 'utf8');
  const values = { node: '/n', named: '/n', main: '/m', namedMain: '/m', state: '/s', log: '/l' };
  const text = launcherText(template, values);
  expect(text).toContain('gui/$(id -u)}/org.nix-community.linuxkit-builder, then delete');
  expect(text).not.toMatch(/@[A-Z]+@/);
  expect(directoryOption[1]).toBe('state directory (default: ~/.cache/nix-linuxkit-builder)');
});
