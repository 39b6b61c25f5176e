import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nativeSystem } from '../../src/domain/guest-system.ts';
import { exampleNix } from '../../src/nix/example.ts';
import { fact } from './command.ts';
import { nixBuild } from './nix-client.ts';
import { BuilderRig } from './rig.ts';

// Behaviour 124: No build fails because it arrives while the guest is being suspended, is suspended, or is being
// resumed. The guest either keeps running or is resumed.
test('a guest that goes as a file goes on from it, and builds', async (context) => {
  await using rig = await BuilderRig.create({
    context,
    configure: ['--start', 'demand', '--idle', 'auto'],
  });
  const build = (name: string) => {
    const file = join(rig.dir, `${name}.nix`);
    writeFileSync(file, exampleNix(nativeSystem(process.arch), { name }));
    return nixBuild(rig, file).ended;
  };
  const { layout } = rig;
  const phases = () => rig.log('phase').map(({ phase }) => phase);

  const daemon = rig.begin('daemon');
  await rig.reaches('away');
  expect(await build('first')).toBe(0);
  const before = phases().length;
  const memory = memoryOf(daemon.pid);
  expect((await rig.cli('suspend')).said).toContain('The next build will');
  // The first here is tried.
  expect(phases().slice(before)).toEqual([
    'suspending',
    'stopping',
    'starting',
    'resuming',
    'ready',
    'suspending',
    'stopping',
    'away',
  ]);
  expect(rig.processes().map(({ pid }) => pid)).toEqual([daemon.pid]);
  // The guest's memory, which went there twice and came back once, has passed the daemon by: it left 40 MiB in it, 60 with Node 24.
  await fact('the daemon keeps none of it', () => memoryOf(daemon.pid) - memory < 20);
  expect(rig.status()?.away).toMatchObject({ guest: 'suspended', why: 'asked' });
  expect(statSync(layout.memory).mode & 0o777).toBe(0o600);
  expect((await rig.cli('status')).stdout).toContain('Away: the guest is suspended');

  expect(await build('second')).toBe(0);
  expect(phases().slice(-3)).toEqual(['starting', 'resuming', 'ready']);
  expect(existsSync(layout.memory)).toBe(false);
  expect(rig.log('resumed').map(({ resumes }) => resumes)).toEqual([1, 2]);
  expect((await rig.cli('stop')).end).toBe(0);
  expect(await daemon.ended).toBe(0);
  await rig.leavesNothing();
});

/** What is the process's own, in MiB (proc(5), RssAnon). */
function memoryOf(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}
