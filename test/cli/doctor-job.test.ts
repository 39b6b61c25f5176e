import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findingLines } from '../../src/cli/doctor.ts';
import { recognise } from '../../src/config/known-faults.ts';
import { agentPaths } from '../../src/host/launch-agent.ts';
import { unitPath } from '../../src/host/systemd-unit.ts';
import { configureRig } from './configure-rig.ts';

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
    .join('\n');
}

describe.runIf(process.getuid?.() === 0)('the files of the login job', () => {
  test.each(['launchd', 'systemd'] as const)(
    'of %s are well as they were written',
    async (name) => {
      using rig = await configured(name);
      expect(await said(rig, rig.env)).toBe(`ok    login job: ${name}: running`);
    },
  );

  const files = ({ places }: Rig) => [
    ['launchd', agentPaths(places.home).plist] as const,
    ['launchd', agentPaths(places.home).launcher] as const,
    ['systemd', unitPath(join(places.home, '.config'))] as const,
  ];
  test.each([
    ['changed', (path: string) => writeFileSync(path, 'x'), 'somebody changed it'],
    ['deleted', (path: string) => rmSync(path), 'it is gone'],
    ['open to others', (path: string) => chmodSync(path, 0o666), 'its mode is 666'],
  ])('are found when one is %s, though the job runs', async (_, spoil, words) => {
    for (const index of [0, 1, 2]) {
      const keeper = index === 2 ? 'systemd' : 'launchd';
      using rig = await configured(keeper);
      const path = files(rig)[index]?.[1] ?? '';
      spoil(path);
      const text = await said(rig, rig.env);
      expect(text).toContain(`BAD   login job: Not as configure writes it: ${path} (${words})`);
      expect(text).toContain('-> linuxkit-builder configure, then linuxkit-builder start');
    }
  });

  test('are there, and launchd could not run them: the catalogue is asked with its exit code', async () => {
    using rig = await configured('launchd', 'state = not running\nlast exit code = 78: EX_CONFIG');
    const findings = await rig.doctor(rig.env);
    const job = findings.find(({ name }) => name === 'login job');
    if (job?.kind !== 'bad') throw new Error('it is bad');
    expect(job.what).toContain('under launchd ended with exit code 78');
    const sighting = { said: [job.what, job.why], platform: 'darwin', ...job.seen } as const;
    expect(recognise(sighting).map(({ id }) => id)).toEqual(['job-program-missing']);
  });

  test('are told of when they were made for another PATH', async () => {
    using rig = await configured('systemd');
    mkdirSync(join(rig.tree, 'elsewhere'));
    writeFileSync(join(rig.tree, 'elsewhere/ssh'), '');
    chmodSync(join(rig.tree, 'elsewhere/ssh'), 0o755);
    const other = { ...rig.env, PATH: `${join(rig.tree, 'elsewhere')}:${rig.env.PATH}` };
    expect(await said(rig, other)).toMatch(
      /^note {2}login job: systemd: running\n.*told of another Node, place or PATH/,
    );
  });
});
