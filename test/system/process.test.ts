import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../src/system/time/clock.ts';
import { identify, identifyPs, isProgram } from '../../src/system/process/process.ts';

// As macOS is asked; Linux has the same ps(1).
const names = ['TZ', 'LC_ALL', 'LC_TIME', 'LANG'];
const was = names.map((name) => [name, process.env[name]] as const);
afterEach(() => {
  for (const [name, value] of was)
    if (value === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = value;
});

test("ps tells the same start whatever the caller's zone and language are", () => {
  const here = identifyPs(process.pid);
  for (const [TZ, LC_ALL] of [
    ['Asia/Tokyo', 'ja_JP.UTF-8'],
    ['America/St_Johns', 'C.UTF-8'],
    [':/nowhere', 'nonsense'],
  ]) {
    Object.assign(process.env, { TZ, LC_ALL, LANG: LC_ALL, LC_TIME: LC_ALL });
    expect(identifyPs(process.pid)).toEqual(here);
  }
  const begun = Date.now() - process.uptime() * 1000;
  expect(Math.abs(Date.parse(`${here?.started} UTC`) - begun)).toBeLessThan(5_000);
});

test('ps names the program, and nobody once it has ended, collected or not', async () => {
  const child = spawn('/bin/sh', ['-c', 'sleep 0.01 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  // sleep knows nothing of that child, and so never collects it: a zombie.
  while (identify(Number(chunk.toString())) !== undefined) await systemClock.sleep(2);
  expect(identifyPs(Number(chunk.toString()))).toBeUndefined();
  while (identifyPs(child.pid ?? 0)?.program !== 'sleep') await systemClock.sleep(2);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(identifyPs(child.pid ?? 0)).toBeUndefined();
});

test.each([
  ['qemu-system-x86_64', 'qemu-system-x86_64', true],
  ['.qemu-system-x86_64-wrapped', 'qemu-system-x86_64', true],
  ['.gvproxy-wrapped__', 'gvproxy', true],
  ['.gvproxy-wrapped', '.gvproxy-wrapped', true],
  ['gvproxy-wrapped', 'gvproxy', false],
  ['.gvproxy-wrapped', 'vpnkit', false],
  ['bash', 'gvproxy', false],
])('%s is what was started as %s: %s', (running, name, is) => {
  expect(isProgram(running, name)).toBe(is);
});
