/** The stand-in keeps the rules for which it stands: otherwise what is tested with it is worth nothing. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/system/time/clock.ts';
import { until } from '../../src/system/time/wait.ts';
import { Job, type JobKeys } from './job.ts';
import { removeTree } from '../remove-tree.ts';

let directory: string;
const jobs: Job[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'job-'));
});
afterEach(async () => {
  await Promise.all(
    jobs.splice(0).map((job) => new Promise<void>((resolve) => job.leave(resolve))),
  );
  removeTree(directory);
});

function jobOf(script: string, keys: Partial<JobKeys> = {}, throttleSecondMs = 10): Job {
  const job = new Job(
    { Label: 'x', ProgramArguments: ['/bin/sh', '-c', script], ...keys },
    { throttleSecondMs, exitSecondMs: 20 },
    { OUT: join(directory, 'out') },
  );
  jobs.push(job);
  return job;
}
const comes = async (fact: () => boolean) =>
  expect(await until(fact, { clock: systemClock, everyMs: 2, timeoutMs: 50_000 })).toBe('held');

describe('KeepAlive', () => {
  test.each([
    ['exit 0', { SuccessfulExit: false }, false],
    ['exit 3', { SuccessfulExit: false }, true],
    ['kill -9 $$', { SuccessfulExit: false }, true],
    ['exit 0', { SuccessfulExit: true }, true],
    ['kill -9 $$', { Crashed: true }, false],
    ['kill -SEGV $$', { Crashed: true }, true],
    ['exit 0', { Crashed: false }, true],
    ['exit 0', true, true],
    ['exit 1', undefined, false],
  ] as const)('after `%s`, with %j: again %s', async (script, form, again) => {
    // It is looked at before it runs again.
    const job = jobOf(script, { ...(form === undefined ? {} : { KeepAlive: form }) }, 60_000);
    job.start();
    await comes(() => job.lastExit !== undefined || job.lastSignal !== undefined);
    expect(job.state).toBe(again ? 'spawn scheduled' : 'not running');
  });

  test('is throttled to a run every ten seconds, counted from its start', async () => {
    const job = jobOf('exit 1', { KeepAlive: true });
    const begun = performance.now();
    job.start();
    await comes(() => job.runs === 3);
    expect(performance.now() - begun).toBeGreaterThan(195);
  });
});

describe('a job', () => {
  test('is told by SIGTERM alone, and killed when ExitTimeOut is over', async () => {
    const job = jobOf('trap "" TERM; echo up >"$OUT"; while :; do :; done', { ExitTimeOut: 2 });
    job.start();
    await comes(() => read() === 'up\n');
    job.terminate();
    expect(job.state).toBe('SIGTERMed');
    await comes(() => job.lastSignal === 'SIGKILL');
  });

  test('takes its process group with it', async () => {
    const child =
      '(trap "echo told >\\"$OUT\\"; exit" TERM; echo up >"$OUT"; while :; do :; done) &';
    const job = jobOf(`${child} while [ ! -s "$OUT" ]; do :; done`);
    job.start();
    await comes(() => read() === 'told\n');
  });

  test('is not run where its output cannot be opened', () => {
    const job = jobOf('echo ran >"$OUT"', { StandardOutPath: join(directory, 'missing/out') });
    job.start();
    expect([job.lastExit, job.pid]).toEqual([78, undefined]);
  });

  test('gets little environment, and its own name', async () => {
    const job = jobOf('echo "$XPC_SERVICE_NAME,$PATH,$HOME" >"$OUT"');
    job.start();
    await comes(() => read() !== '');
    expect(read()).toBe('x,/usr/bin:/bin:/usr/sbin:/sbin,\n');
  });
});

function read(): string {
  try {
    return readFileSync(join(directory, 'out'), 'utf8');
  } catch {
    return '';
  }
}
