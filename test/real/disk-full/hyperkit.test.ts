import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { HyperkitRig } from '../hyperkit-rig.ts';
import { freePort, testImage } from '../rig.ts';

const checkout = resolve(import.meta.dirname, '../../..');
/** A small file system of its own needs root; elsewhere this is skipped, and the run says so. */
const possible = process.platform === 'linux' && process.getuid?.() === 0;

// Behaviour 23: HyperKit cannot pause: its guest is shut down in order when less than 512 MiB are free, that is shown as
// `paused`, and it begins again by itself when 1 GiB is.
describe.runIf(possible)("the host's disk becomes full under HyperKit, which cannot pause", () => {
  const facts = new Map<string, string>();
  let all = '';

  beforeAll(async () => {
    const programs = await HyperkitRig.create();
    const world = join(import.meta.dirname, 'hyperkit.sh');
    const place = [checkout, process.execPath, testImage(), String(await freePort())];
    const argv = ['--mount', '--propagation', 'private', 'sh', world, ...place];
    const env = { PATH: process.env['PATH'] ?? '' };
    const ran = await promisify(execFile)('unshare', argv, { env, timeout: 150_000 }).catch(
      (error: unknown) => error as { stdout: string; stderr: string },
    );
    programs[Symbol.dispose]();
    all = `${ran.stdout}\n${ran.stderr}`;
    for (const [, name, value] of all.matchAll(/^FACT (\S+) (.*)$/gm))
      facts.set(name ?? '', value ?? '');
  });

  test('the guest is shut down in order before its writes fail, and that is said', () => {
    expect(facts.get('sentence'), all).toContain("Paused: the host's disk is full");
    expect(facts.get('stopped')).toBe('1');
    expect(facts.get('left')).toBe('0');
    expect(facts.get('errors')).toBe('0');
  });
  test('it stays down as long as there is no room', () =>
    expect(facts.get('phase-later')).toBe('paused'));
  test('it begins again by itself when there is room, and no write is lost', () => {
    expect(facts.get('kept'), all).toBe('kept');
    expect(facts.get('phases')?.trim().split(' ')).toEqual([
      ...['starting', 'booting', 'ready', 'stopping'],
      ...['starting', 'paused', 'starting', 'booting', 'ready'],
    ]);
  });
  test('a stop that comes meanwhile is obeyed', () =>
    expect(facts.get('last'), all).toBe('stopped'));
});
