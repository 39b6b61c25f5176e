/** What configure makes of options that others set for every host, and that not every ssh knows. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { withRoots } from '../../src/host/system-paths.ts';
import { SshAsker } from '../../src/nix/ssh/ask-ssh.ts';
import { userSsh } from '../../src/nix/ssh/user-ssh.ts';
import { newerOptions } from '../../src/nix/ssh/newer.ts';
import { closeFile, refusedIn, removeLine } from '../../src/nix/ssh/refused.ts';
import { leftFor } from '../../src/nix/ssh/taken-back.ts';
import { run, succeeded } from '../../src/system/process/child.ts';
import { findProgram } from '../../src/system/process/find-program.ts';
import { configureRig } from '../setup/configure-rig.ts';
import { needs, type Need } from '../needs.ts';
import { nothingToChange } from '../../src/setup/configure/configure.ts';

type Rig = ReturnType<typeof configureRig>;

/** In the order in which a person may have written them; ChannelTimeout is too new for many. */
const options = ['SessionType none', 'StdinNull yes', 'ForkAfterAuthentication yes'];
const others = ['Host *', ...options, 'KnownHostsCommand /bin/false', 'BindInterface none9', ''];

/** The ssh of this machine knows all of those (since 8.7). */
const newSsh: Need = {
  what: 'OpenSSH 8.7 or newer',
  isMet: succeeded(await run('ssh', ['-oSessionType=default', '-F', '/dev/null', '-G', 'x'])),
};

/** Both, where they are one: the tests of this project are run as root and as a user. */
const stanzas = ({ layout, root, systemPaths }: Rig) =>
  systemPaths.home === systemPaths.rootHome
    ? [layout.sshConfig, root.sshConfig]
    : [layout.sshConfig];

function writeConfig({ systemPaths }: Rig, text: string): string {
  const file = join(systemPaths.home, '.ssh/config');
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

const newerWords = newerOptions('lo').map(({ name }) => name);
const newerIn = (text: string) => newerWords.filter((word) => text.includes(`${word} `));

async function listing(file: string, host = 'nix-linuxkit'): Promise<string> {
  const ran = await run('ssh', ['-F', file, '-G', host]);
  expect(succeeded(ran), ran.stderr).toBe(true);
  return ran.stdout;
}

// Behaviour 190: If an ssh option that older versions of ssh do not know is set for every host, our lines reset it
// for the guest, provided that each ssh on this machine knows it. Otherwise, `configure` and `doctor` name the
// option, the file and the line.
describe('an option for every host that is newer than our oldest ssh', needs(newSsh), () => {
  test('is taken back where each ssh knows it, and not said where nobody else says it', async () => {
    using rig = configureRig();
    const file = writeConfig(rig, others.join('\n'));
    expect((await rig.run('--no-root')).failure).toBeUndefined();
    expect(newerIn(rig.read(rig.layout.sshConfig)).sort()).toEqual(
      newerWords.filter((word) => word !== 'ChannelTimeout').sort(),
    );
    writeFileSync(file, `Include "${rig.layout.sshConfig}"\n${others.join('\n')}`);
    const found = await listing(file);
    expect(found).toMatch(/^sessiontype default$/m);
    expect(found).toMatch(/^stdinnull no$/m);
    expect(found).toMatch(/^forkafterauthentication no$/m);
    expect(found).not.toMatch(/^knownhostscommand/m);
    expect(found).not.toContain('none9');
    expect(await listing(file, 'other.example')).toMatch(/^sessiontype none$/m);
    const again = rig.read(rig.layout.sshConfig);
    await rig.run('--no-root');
    expect(rig.read(rig.layout.sshConfig)).toBe(again);
    writeConfig(rig, 'Host *\n  Compression yes\n');
    await rig.run('--no-root');
    expect(newerIn(rig.read(rig.layout.sshConfig))).toEqual([]);
  });

  // After our lines the host is 127.0.0.1 and the user is the guest's; before them it is the name that Nix uses.
  test.each([
    'Host *',
    'Host nix-*',
    'Match host 127.0.0.1',
    'Match host 127.*,::1 user builder',
    'Match user builder',
    'Match user build*,git',
    'Match final',
    'Match final host 127.0.0.1',
    `Match localuser ${userInfo().username}`,
    'Match originalhost nix-*',
    'Match exec "test %h = 127.0.0.1"',
    'Match exec "test %r = builder"',
    'CanonicalizeHostname yes\nMatch final user builder',
  ])('is taken back where %s sets it, below our lines', async (where) => {
    using rig = configureRig();
    const file = writeConfig(rig, `${where}\n  SessionType none\n`);
    const { err } = await rig.run('--no-root');
    expect(err.filter((line) => line.includes('SessionType'))).toEqual([]);
    const stanza = rig.read(rig.layout.sshConfig);
    expect(newerIn(stanza)).toEqual(['SessionType']);
    writeFileSync(file, `Include "${rig.layout.sshConfig}"\n${where}\n  SessionType none\n`);
    expect(await listing(file)).toMatch(/^sessiontype default$/m);
    await rig.run('--no-root');
    expect(rig.read(rig.layout.sshConfig)).toBe(stanza);
  });

  test('is not asked for where ssh stops at a line, which is named', async () => {
    using rig = configureRig();
    writeConfig(rig, 'Host *\n  Port many\n');
    const { err } = await rig.run('--no-root');
    expect(err.filter((line) => line.endsWith(removeLine))).toHaveLength(1);
  });

  test('of a file that others can change is told to whoever can close it, but for the file that may be so', () => {
    using rig = configureRig();
    const asked = { ...rig, who: 'user' } as const;
    const [system, included] = [join(rig.tree, 'etc/ssh/ssh_config'), join(rig.tree, 'included')];
    mkdirSync(dirname(system), { recursive: true });
    writeFileSync(system, `Include "${included}"\nHost *\n`);
    writeFileSync(included, 'Port many\n', { mode: 0o600 });
    chmodSync(system, 0o666);
    expect(refusedIn('no', asked).remedy).toBe(removeLine);
    chmodSync(included, 0o666);
    const me = userInfo().uid;
    expect(refusedIn('no', asked, me).remedy).toBe(closeFile(included, true));
    expect(refusedIn('no', asked, me + 1).remedy).toBe(closeFile(included, false));
  });

  test('is taken back beside a word that no ssh here knows', async () => {
    using rig = configureRig();
    writeConfig(rig, 'Host *\n  UseKeychainOfMacOS yes\n  SessionType none\n');
    await rig.run('--no-root');
    expect(newerIn(rig.read(rig.layout.sshConfig))).toEqual(['SessionType']);
  });

  test.each(['Match host nix-*', 'Host nix-*'])(
    'is found where %s sets it above our lines, too',
    async (where) => {
      using rig = configureRig();
      const { sshConfig } = rig.layout;
      writeConfig(rig, `${where}\n  SessionType none\nMatch all\nInclude "${sshConfig}"\n`);
      await rig.run('--no-root');
      expect(newerIn(rig.read(sshConfig))).toEqual(['SessionType']);
    },
  );

  // Once our file says it, those lines would still count first: our line has to go above them in the same run.
  test.each([
    ['above', false],
    ['below', true],
  ])('is taken back by one run where lines %s ours set it', async (where, takenIn) => {
    using rig = configureRig();
    const { layout, tree } = rig;
    await rig.run('--no-root');
    const include = `Match all\n  Include "${layout.sshConfig}"\n`;
    const option = 'Match host nix-*\n  SessionType none\n';
    writeConfig(rig, where === 'above' ? option + include : include + option);
    const { signal } = new AbortController();
    const context = { env: process.env, signal };
    const systemPaths = withRoots({ ...rig.systemPaths, rootHome: join(tree, 'elsewhere') });
    const found = await userSsh({
      layout,
      systemPaths,
      tree,
      context,
      asker: new SshAsker(signal),
    });
    expect(found.known).toMatchObject({ takenIn, takenBack: [{ name: 'SessionType' }] });
  });

  test('is named with file and line where it is set for the guest itself', async () => {
    using rig = configureRig();
    const file = writeConfig(rig, 'Host other\nHost nix-linuxkit\n  SessionType none\n');
    for (let run = 0; run < 2; run++) {
      const { err } = await rig.run('--no-root');
      const line = rig.read(file).split('\n').indexOf('  SessionType none') + 1;
      const said = err.filter((each) => each.includes(`(${file}, line ${line})`));
      expect(said).toEqual([expect.stringContaining(leftFor.named)]);
      expect(newerIn(rig.read(rig.layout.sshConfig))).toEqual([]);
    }
  });

  test('is taken back for nix-daemon too', needs('root'), async () => {
    using rig = configureRig();
    const file = writeConfig(rig, others.join('\n'));
    await rig.run();
    for (const stanza of stanzas(rig)) expect(newerIn(rig.read(stanza))).toHaveLength(5);
    expect(await listing(file)).toMatch(/^sessiontype default$/m);
    expect((await rig.run()).out).toEqual([nothingToChange]);
  });

  test('is left, and named with file and line, where an ssh of this machine does not know it', async () => {
    using rig = configureRig();
    const file = writeConfig(rig, others.join('\n'));
    const older = olderSsh(rig, 'SessionType');
    const env = { PATH: `${process.env['PATH']}:${dirname(older)}` };
    const { err } = await rig.runWith(env, '-d', rig.layout.root, '--no-root');
    for (const stanza of [rig.layout.sshConfig])
      expect(newerIn(rig.read(stanza))).not.toContain('SessionType');
    expect(newerIn(rig.read(rig.layout.sshConfig))).toContain('StdinNull');
    const said = err.find((line) => line.includes('SessionType'));
    expect(said).toContain(`${file}, line 2`);
    expect(said).toContain(older);
  });

  test('is left, and named, where its owner tells ssh to pass over it: other machines read the file', async () => {
    using rig = configureRig();
    writeConfig(rig, ['IgnoreUnknown Foo,Session*', ...others].join('\n'));
    const { err } = await rig.run('--no-root');
    const words = newerIn(rig.read(rig.layout.sshConfig));
    expect(words).toContain('StdinNull');
    expect(words).not.toContain('SessionType');
    expect(err.find((line) => line.includes('SessionType'))).toContain('IgnoreUnknown');
  });
});

/** One that stops at a word, as one that is older than the word does. */
function olderSsh({ tree }: Rig, word: string): string {
  const path = join(tree, 'older/ssh');
  mkdirSync(dirname(path));
  const stop = `echo "$2: line 2: Bad configuration option: ${word.toLowerCase()}" >&2; exit 255`;
  writeFileSync(
    path,
    `#!/bin/sh\nif grep -q ${word} "$2"; then ${stop}; fi\nexec ${findProgram('ssh')} "$@"\n`,
  );
  chmodSync(path, 0o755);
  return path;
}
