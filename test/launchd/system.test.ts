/** The job at boot under the stand-in of launchd: its file is root's, and the daemon its owner's. */
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'plist';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { declaredIn } from '../../src/service/declared-job.ts';
import { label } from '../../src/service/launchd/launch-agent.ts';
import { jobScript, systemJobPath } from '../../src/service/system-job.ts';
import { run } from '../../src/system/process/child.ts';
import { buildProgram, type BuiltProgram } from '../fakes/program.ts';
import { launchdRig } from './rig.ts';
import { needs } from '../needs.ts';

let program: BuiltProgram;
beforeAll(async () => {
  program = await buildProgram();
});
afterAll(() => program[Symbol.dispose]());

/** The tree's own launchctl, for root's script, is the stand-in's. */
async function systemRig() {
  const rig = await launchdRig(program, { domains: ['system', 'gui/0', 'user/0'] });
  const plist = systemJobPath('launchd', rig.tree);
  mkdirSync(join(rig.tree, 'Library/LaunchDaemons'), { recursive: true });
  mkdirSync(join(rig.tree, 'usr/bin'), { recursive: true });
  const wrapper = join(rig.tree, 'usr/bin/launchctl');
  writeFileSync(wrapper, `#!/bin/sh\nexec '${join(rig.launchd.bin, 'launchctl')}' "$@"\n`);
  chmodSync(wrapper, 0o755);
  return { ...rig, plist };
}

describe('with launchd', { ...needs('root'), timeout: 120_000 }, () => {
  // Behaviour 197: With `configure --system`, launchd or systemd starts the daemon at boot, without a login and as
  // its owner. Only the job's file belongs to root.
  test('a job of the system, from configure to unconfigure', async () => {
    await using rig = await systemRig();
    const before = rig.snapshot();
    expect((await rig.run('configure')).out).toContain(`Wrote ${rig.agent.plist}`);
    const configured = await rig.run('configure', '--system');
    expect(configured).toMatchObject({ code: 0 });
    expect(configured.out).toContain(`Wrote ${rig.plist}`);
    expect(configured.out).toContain('The daemon starts at boot');
    expect(existsSync(rig.agent.plist)).toBe(false);
    expect(statSync(rig.plist)).toMatchObject({ uid: 0, mode: 0o100644 });
    const keys = parse(readFileSync(rig.plist, 'utf8')) as Readonly<Record<string, unknown>>;
    expect(keys).toMatchObject({
      Label: label,
      UserName: 'root',
      ExitTimeOut: 60,
      RunAtLoad: true,
    });
    expect(keys['LimitLoadToSessionType']).toBeUndefined();
    expect(keys['ProgramArguments']).toEqual([rig.agent.launcher]);
    expect((await rig.run('configure', '-v')).out).not.toContain(`Wrote`);
    expect((await rig.run('doctor')).out).toMatch(/BAD +login job: launchd has not loaded/);

    expect((await rig.run('start')).out).toMatch(/^Started the daemon through launchd \(pid/);
    expect(rig.launchd.calls).toContain(`bootstrap system ${rig.plist}`);
    expect((await rig.run('status')).out).toContain('launchd starts it at boot');
    expect((await rig.run('doctor')).out).toMatch(/ok +login job: launchd: running/);
    const stopped = await rig.run('stop');
    expect(stopped.out).toMatch(/^Stopped\. launchd will start it again when this machine boots/);
    expect(rig.launchd.job(label)).toMatchObject({ state: 'not running', lastExit: 0 });
    expect((await rig.run('start')).out).toContain('through launchd');
    expect((await rig.run('unconfigure', '--purge', '--yes')).code).toBe(0);
    expect(rig.launchd.job(label)).toBeUndefined();
    expect(rig.snapshot()).toEqual(before);
  });

  // Behaviour 198: A job for the daemon that a Nix configuration or a person has declared is never rewritten. `start`
  // and `stop` use it, and `status`, `doctor` and `configure` say who declared it and how to restart it.
  test('a job that nix-darwin declares', async () => {
    await using rig = await systemRig();
    const text = `<plist version="1.0"><dict><key>Label</key><string>${label}</string>
<key>ProgramArguments</key><array>${[process.execPath, program.main, 'daemon', '--managed', '--directory', rig.layout.root].map((word) => `<string>${word}</string>`).join('')}</array>
<key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>
<key>EnvironmentVariables</key><dict>
<key>LINUXKIT_BUILDER_DIR</key>
<string>${rig.layout.root}</string>
<key>LINUXKIT_BUILDER_DECLARED_BY</key>
<string>nix-darwin</string>
</dict></dict></plist>
`;
    writeFileSync(rig.plist, text);
    const configured = await rig.run('configure');
    expect(configured.out).toContain("The daemon's job is declared by nix-darwin");
    expect(configured.out).toContain(`sudo launchctl kickstart -k system/${label}`);
    expect(existsSync(rig.agent.plist)).toBe(false);
    const refused = await rig.run('start');
    expect(refused.err).toContain('launchd has not loaded the job that nix-darwin declares');
    await run(join(rig.launchd.bin, 'launchctl'), ['bootstrap', 'system', rig.plist], {});
    expect((await rig.run('start')).code).toBe(0);
    expect((await rig.run('status')).out).toContain(
      'launchd starts it at boot, as declared by nix-darwin',
    );
    expect((await rig.run('unconfigure', '--purge', '--yes')).out).toContain(
      `Left the job that nix-darwin declares: ${rig.plist}`,
    );
    expect(readFileSync(rig.plist, 'utf8')).toBe(text);
  });

  test("root's script leaves what is somebody else's", async () => {
    await using rig = await systemRig();
    const { tree, plist } = rig;
    const owner = { name: 'jörg $(id)', uid: 501, directory: '/x' };
    const script = jobScript({ kind: 'launchd', tree, text: 'ours' }, owner);
    writeFileSync(plist, 'theirs');
    const ran = await run('/bin/sh', ['-c', script], {});
    expect(ran).toMatchObject({ ended: { kind: 'exited', code: 77 } });
    expect(ran.stderr).toContain(
      `${plist} was not written by linuxkit-builder. Nothing was changed.`,
    );
    expect(readFileSync(plist, 'utf8')).toBe('theirs');
    chmodSync(join(tree, 'Library/LaunchDaemons'), 0o777);
    const loose = await run('/bin/sh', ['-c', script], {});
    expect(loose.stderr).toContain('must be a directory that only root can write to');
  });
});

test('a job of linuxkit-nix is no job of ours', () => {
  const place = { kind: 'launchd', scope: 'user', path: '/p' } as const;
  expect(declaredIn('<string>/nix/store/x/bin/linuxkit-builder</string>', place)).toBeUndefined();
  expect(declaredIn('exec linuxkit-builder daemon --managed', place)).toMatchObject({
    by: 'someone else',
    directory: undefined,
  });
});
