import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findingLines } from '../../src/doctor/doctor-command.ts';
import { recognise } from '../../src/domain/recognise.ts';
import { programsIn } from '../../src/doctor/check-job-left.ts';
import { agentPaths, launcherText } from '../../src/service/launchd/launch-agent.ts';
import { unitPath, unitText } from '../../src/service/systemd/systemd-unit.ts';
import { configureRig } from '../setup/configure-rig.ts';
import { needs } from '../needs.ts';
import { plainly } from '../../src/system/advice.ts';
import { saying } from '../fakes/saying.ts';
import { removeTree } from '../remove-tree.ts';

type Rig = ReturnType<typeof configureRig>;

/** Configured for a keeper that says that the job runs. */
async function configured(keeper: 'launchd' | 'systemd', launchd = 'state = running\npid = 7') {
  const rig = configureRig();
  const program = (name: string, said: string) => {
    const path = join(rig.tree, 'bin', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `#!/bin/sh\necho '${said}'\n`);
    chmodSync(path, 0o755);
  };
  program('systemctl', 'LoadState=loaded\nActiveState=active\nUnitFileState=enabled');
  program('launchctl', launchd);
  const path = `${join(rig.tree, 'bin')}:${process.env['PATH'] ?? ''}`;
  const env = { PATH: path, LINUXKIT_BUILDER_SERVICE: keeper };
  await rig.runWith(env, '-d', rig.layout.root, '--autostart', '-c', '1');
  return { ...rig, env };
}

async function said(rig: Rig, env: NodeJS.ProcessEnv): Promise<string> {
  const findings = await rig.doctor(env);
  return findings
    .filter(({ name }) => name === 'login job')
    .flatMap(findingLines)
    .map(plainly)
    .join('\n');
}

describe('the files of the login job', needs('root'), () => {
  test.each(['launchd', 'systemd'] as const)(
    'of %s are well as they were written',
    async (name) => {
      using rig = await configured(name);
      expect(await said(rig, rig.env)).toBe(`ok    login job: ${name}: running`);
    },
  );

  // Behaviour 202: If a daemon that systemd starts at login would end when you log out, `configure` and `doctor` say
  // so, and name the command that keeps it running.
  test.each([
    ['no', true],
    ['yes', false],
  ])('of systemd end at the logout of a user with Linger=%s', async (linger, ends) => {
    using rig = await configured('systemd');
    const command = `loginctl enable-linger ${userInfo().username}`;
    const path = join(rig.tree, 'bin/loginctl');
    const asked = `[ "$*" = 'show-user ${userInfo().username} --property=Linger' ]`;
    writeFileSync(path, `#!/bin/sh\n${asked} && echo Linger=${linger}\n`, { mode: 0o755 });
    const { err } = await rig.runWith(rig.env, '-d', rig.layout.root);
    expect(err.some((line) => line.includes(command))).toBe(ends);
    expect((await said(rig, rig.env)).includes(command)).toBe(ends);
    // Of one that logind does not know.
    writeFileSync(path, '#!/bin/sh\nexit 1\n');
    expect(await said(rig, rig.env)).toBe('ok    login job: systemd: running');
  });

  const files = ({ systemPaths }: Rig) => [
    ['launchd', agentPaths(systemPaths.home).plist] as const,
    ['launchd', agentPaths(systemPaths.home).launcher] as const,
    ['systemd', unitPath(join(systemPaths.home, '.config'))] as const,
  ];
  test.each([
    ['changed', (path: string) => writeFileSync(path, 'x'), 'edited'],
    ['deleted', (path: string) => rmSync(path), 'missing'],
    ['open to others', (path: string) => chmodSync(path, 0o666), 'mode 666'],
  ])('are found when one is %s, though the job runs', async (_, spoil, words) => {
    for (const index of [0, 1, 2]) {
      const keeper = index === 2 ? 'systemd' : 'launchd';
      using rig = await configured(keeper);
      const path = files(rig)[index]?.[1] ?? '';
      spoil(path);
      const text = await said(rig, rig.env);
      expect(text).toContain(` ${path} (${words})`);
      expect(text).toContain('-> linuxkit-builder configure, then linuxkit-builder start');
    }
  });

  test('are there, and launchd could not run them: the catalogue is asked with its exit code', async () => {
    using rig = await configured('launchd', 'state = not running\nlast exit code = 78: EX_CONFIG');
    const findings = await rig.doctor(rig.env);
    const job = findings.find(({ name }) => name === 'login job');
    if (job?.kind !== 'bad') throw new Error('it is bad');
    expect(job.code).toBe('job-ended-badly');
    expect(job.what).toContain('78');
    const sighting = {
      said: [plainly(job.what), plainly(job.why)],
      platform: 'darwin',
      ...job.seen,
    } as const;
    expect(recognise(sighting).map(({ id }) => id)).toEqual(['job-program-missing']);
  });

  test('are told of when they were made for another PATH', async () => {
    using rig = await configured('systemd');
    mkdirSync(join(rig.tree, 'elsewhere'));
    writeFileSync(join(rig.tree, 'elsewhere/ssh'), '');
    chmodSync(join(rig.tree, 'elsewhere/ssh'), 0o755);
    const other = { ...rig.env, PATH: `${join(rig.tree, 'elsewhere')}:${rig.env.PATH}` };
    expect(await said(rig, other)).toMatch(/^note {2}login job: systemd: running\n.*PATH/);
  });
});

describe('the programs that a job names', () => {
  const template = readFileSync(resolve(import.meta.dirname, '../../launchd/launcher.sh'), 'utf8');
  test.each(['/a/dist/main.js', '/it\'s 100% $HOME/a \\ "b"/dist/main.js'])(
    'are found: %s',
    (main) => {
      const values = {
        node: "/n'o/node",
        named: '/n/node',
        main,
        namedMain: main,
        state: "/s 's",
        path: '/bin',
      };
      expect(programsIn(launcherText(template, { ...values, log: '/l' }))).toEqual([main]);
      expect(programsIn(unitText(values))).toEqual([main]);
    },
  );
});

describe('a job whose program is gone', needs('root'), () => {
  const findings = async (rig: Rig, env: NodeJS.ProcessEnv, ...argv: string[]) =>
    (await rig.doctor(env, ...argv)).filter(({ name }) => name.endsWith('login job'));
  const jobFiles = ({ systemPaths }: Rig) => {
    const { plist, launcher } = agentPaths(systemPaths.home);
    return [launcher, plist, unitPath(join(systemPaths.home, '.config'))];
  };
  /** As an installation wrote them that is not there any more. */
  function uninstall(rig: Rig): readonly string[] {
    const files = jobFiles(rig).filter((path) => existsSync(path));
    const main = resolve(import.meta.dirname, '../../dist/main.js');
    for (const path of files)
      writeFileSync(path, rig.read(path).replaceAll(main, '/gone/dist/main.js'));
    return files;
  }

  test.each(['launchd', 'systemd'] as const)('is found and told anew: %s', async (keeper) => {
    using rig = await configured(keeper);
    const [file = ''] = uninstall(rig);
    const [old, job] = await findings(rig, rig.env);
    expect(old).toMatchObject({ name: 'old login job', kind: 'bad', code: 'job-program-gone' });
    expect(old && findingLines(old).map(plainly).join('\n')).toMatch(
      new RegExp(`${file} .*/gone/dist/main\\.js\\.`),
    );
    expect(job).toMatchObject({ kind: 'skipped' });
    const fixed = await findings(rig, rig.env, '--fix');
    expect(fixed).toMatchObject([{ kind: 'good', fixed: true }, { kind: 'good' }]);
    expect(rig.read(file)).not.toContain('/gone/');
    expect(await findings(rig, rig.env)).toMatchObject([{ name: 'login job', kind: 'good' }]);
  });

  // Behaviour 196: If the program was uninstalled without `unconfigure`, its login job says so once at each login, in
  // its log or in systemd's journal, and exits. `doctor` of the next installation finds that job, and `doctor --fix`
  // repairs or removes it.
  test.each(['launchd', 'systemd'] as const)(
    'is taken away where nobody wants one, also without settings: %s',
    async (keeper) => {
      using rig = await configured(keeper, 'state = not running');
      const files = uninstall(rig);
      removeTree(rig.layout.root);
      const said = "echo 'LoadState=loaded\nActiveState=inactive\nUnitFileState=enabled'";
      const told = `echo "$*" >>'${rig.tree}/calls'`;
      writeFileSync(join(rig.tree, 'bin/systemctl'), `#!/bin/sh\n${told}\n${said}\n`);
      // A job that was booted out is not known any more.
      const known = `! grep -q bootout '${rig.tree}/calls' && echo 'state = not running' || exit 113`;
      writeFileSync(join(rig.tree, 'bin/launchctl'), `#!/bin/sh\n${told}\n${known}\n`);
      expect(await findings(rig, rig.env)).toMatchObject([{ kind: 'bad' }, { kind: 'skipped' }]);
      const [old] = await findings(rig, rig.env, '--fix');
      expect(old).toMatchObject({ kind: 'good', fixed: true });
      expect(files.filter((path) => existsSync(path))).toEqual([]);
      expect(existsSync(dirname(agentPaths(rig.systemPaths.home).launcher))).toBe(false);
      if (keeper === 'systemd')
        expect(rig.read(join(rig.tree, 'calls'))).toContain(
          '--user disable --now linuxkit-builder',
        );
    },
  );

  test('is left while its daemon runs', async () => {
    using rig = await configured('systemd');
    const files = uninstall(rig);
    removeTree(rig.layout.root);
    const [old] = await findings(rig, rig.env, '--fix');
    expect(old).toMatchObject({
      kind: 'bad',
      remedy: saying('linuxkit-builder stop'),
    });
    expect(files.every((path) => existsSync(path))).toBe(true);
  });
});
