/** The section that start-up shares with configure, held by somebody else. */
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { builtImage } from '../../src/config/image-prefix.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { withOperationLock } from '../../src/system/lock/lock.ts';
import { bundleAt } from '../../src/vm/boot-image.ts';
import { buildProgram } from '../fakes/program.ts';
import { mirrorOf } from '../fakes/small-mirror.ts';
import { fact } from './command.ts';
import { BuilderRig } from './rig.ts';
import { stopAtOnce } from './stop-at-once.ts';

/** Holds the section as another command of ours would, until the returned function is called. */
async function hold({ layout }: BuilderRig): Promise<() => Promise<void>> {
  const end = new AbortController();
  return new Promise((resolve) => {
    const held = withOperationLock(layout.startLock, { clock: systemClock }, async () => {
      const over = new Promise<void>((done) => end.signal.addEventListener('abort', () => done()));
      resolve(async () => {
        end.abort();
        await held;
      });
      await over;
    });
  });
}

// Behaviour 8: A start, `configure`, `unconfigure --purge` and `image build` never use the same files at the same
// time. If one of them is killed, the others are not blocked.
test('a start waits for whoever is at work, says so, and goes on', async (context) => {
  await using rig = await BuilderRig.create({ context });
  const release = await hold(rig);
  const daemon = rig.begin('daemon');
  await rig.logged('waiting-for-section');
  const configure = rig.begin('configure', '--no-root', '--max-jobs', '1');
  await fact('configure says that it waits', () => /waiting/.test(configure.stderr));
  expect(rig.status()?.phase).toBe('starting');
  expect(rig.log('seen')).toEqual([]);

  await release();
  expect(await configure.ended).toBe(0);
  await rig.reaches('booting');
  expect(rig.log('waiting-for-section')).toHaveLength(1);

  await stopAtOnce(rig);
  expect(await daemon.ended).toBe(0);
});

test('image build waits with putting its image in place, says so, and goes on', async (context) => {
  using program = await buildProgram();
  await using mirror = await mirrorOf(program, '6.12.201');
  await using rig = await BuilderRig.create({ context, program: program.main });
  const release = await hold(rig);
  const { kernel } = bundleAt(builtImage(rig.layout, 'x86_64-linux'));
  const where = ['--mirror', mirror.url, '--arch', 'amd64', '-d', rig.layout.root];
  const build = rig.program(['image', 'build', '--update', ...where]);
  await fact('it says that it waits', () => atWork.test(build.stderr));
  expect(existsSync(kernel)).toBe(false);
  expect(build.end).toBeUndefined();
  await release();
  expect(await build.ended, build.said).toBe(0);
  expect(existsSync(kernel)).toBe(true);
  expect(build.stderr.match(atWork)).toHaveLength(1);
});

test('unconfigure --purge waits with deleting, says so, and goes on', async (context) => {
  await using rig = await BuilderRig.create({ context });
  const release = await hold(rig);
  const before = readdirSync(rig.layout.root);
  const unconfigure = rig.begin('unconfigure', '--no-root', '--purge', '--yes');
  await fact('it says that it waits', () => atWork.test(unconfigure.stderr));
  expect(readdirSync(rig.layout.root)).toEqual(expect.arrayContaining(before));
  // Who is no longer willing to wait has done nothing.
  const configure = rig.begin('configure', '--no-root');
  await fact('configure says that it waits', () => atWork.test(configure.stderr));
  configure.signal('SIGINT');
  expect(await configure.ended).toBe(130);
  await release();
  expect(await unconfigure.ended, unconfigure.said).toBe(0);
  expect(unconfigure.stderr.match(atWork)).toHaveLength(1);
  expect(existsSync(rig.layout.root)).toBe(false);
});

const atWork = /Another command is changing this state directory; waiting/;

test('a stop that comes while it waits ends it at once', async (context) => {
  await using rig = await BuilderRig.create({ context });
  const release = await hold(rig);
  const daemon = rig.begin('daemon');
  await rig.logged('waiting-for-section');
  const asked = performance.now();
  daemon.signal('SIGTERM');
  expect(await daemon.ended).toBe(0);
  // The section is still taken.
  expect(performance.now() - asked).toBeLessThan(8_000);
  await release();
  await rig.leavesNothing();
  expect(rig.phases()).toEqual(['starting', 'stopping', 'stopped']);
});

test('what a killed command left of the section keeps nobody waiting', async (context) => {
  await using rig = await BuilderRig.create({ context });
  mkdirSync(`${rig.layout.startLock}.lock`);
  rig.begin('daemon');
  const begun = performance.now();
  await rig.reaches('booting');
  // proper-lockfile alone waits 10 s for such a lock to become stale.
  expect(performance.now() - begun).toBeLessThan(8_000);
  expect(rig.log('waiting-for-section')).toEqual([]);
});

// Behaviour 1: A state directory has at most one daemon, because each daemon holds a kernel lock. A second one that
// is started in a terminal exits with 75 and names the first one's pid.
test('fifty daemons at once: one of them is the daemon, and the others name it', async (context) => {
  await using rig = await BuilderRig.create({ context });
  const daemons = Array.from({ length: 50 }, () => rig.begin('daemon'));
  await rig.reaches('booting');
  await fact('the others have left', () => daemons.filter(({ end }) => end === 75).length === 49);
  const [one, ...more] = daemons.filter(({ end }) => end === undefined);
  expect(more).toEqual([]);
  expect(rig.status()?.daemon.pid).toBe(one?.pid);
  for (const { stderr } of daemons.filter((each) => each !== one))
    expect(stderr).toContain(
      `Another daemon is running for this state directory, with pid ${one?.pid}.`,
    );
  expect(rig.processes().filter(({ command }) => /qemu-system-/.test(command))).toHaveLength(1);
  expect(rig.log('daemon-started')).toHaveLength(1);
  await stopAtOnce(rig);
  await rig.leavesNothing();
});
