import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { label } from '../../src/service/launchd/launch-agent.ts';
import {
  meaningOf,
  parseList,
  parsePrint,
  type LaunchctlReply,
} from '../../src/service/launchd/launchctl.ts';
import { fileFailure, troubleFailure } from '../../src/service/launchd/launchd-failures.ts';
import { launchdService } from '../../src/service/launchd/launchd-service.ts';
import { plainly } from '../../src/system/advice.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { failureOf } from '../../src/system/failure.ts';
import { halt, kick, load, unload } from '../../src/service/launchd/launchd.ts';
import type { LaunchctlPlan } from '../../src/service/launchd/launchctl-plan.ts';
import { findTarget, type Target } from '../../src/service/launchd/find-job.ts';
import { removeTree } from '../remove-tree.ts';

const reply = (code: number, stderr = '', stdout = ''): LaunchctlReply => ({
  code,
  stdout,
  stderr,
});
const ok = reply(0);
const absent = reply(113, 'Could not find service');
const EIO = reply(5, 'Bootstrap failed: 5: Input/output error');
const running = reply(0, '', 'x = {\n\tstate = running\n\tpid = 7\n}');
const idle = reply(0, '', 'x = {\n\tstate = not running\n\tlast exit code = 0\n}');
const gui: Target = { kind: 'modern', domain: 'gui/501' };

/** Drives a plan by a table of answers to commands; what it did and how it ended. Pauses are kept too. */
function drive<T>(
  plan: LaunchctlPlan<T>,
  answers: Readonly<Record<string, readonly LaunchctlReply[]>>,
) {
  const seen = new Map<string, number>();
  const did: string[] = [];
  let last: LaunchctlReply = ok;
  for (;;) {
    const { done, value } = plan.next(last);
    if (done === true) return { did, result: value };
    if (value.type === 'sleep') did.push(`sleep ${value.ms}`);
    else {
      const [command = ''] = value.argv;
      const count = seen.get(command) ?? 0;
      seen.set(command, count + 1);
      const list = answers[command] ?? [ok];
      last = list[Math.min(count, list.length - 1)] ?? ok;
      did.push(value.argv.join(' ').replace(`/${label}`, '/L').replace(label, 'L'));
    }
  }
}

describe('loading', () => {
  test('enables, then bootstraps', () => {
    const { did, result } = drive(load(gui, '/p'), { print: [absent] });
    expect(result).toBeUndefined();
    expect(did).toEqual(['enable gui/501/L', 'print gui/501/L', 'bootstrap gui/501 /p']);
  });

  test('what is loaded leaves first, and is waited for', () => {
    const { did } = drive(load(gui, '/p'), { print: [running, running, idle, absent] });
    expect(did.slice(2)).toEqual([
      'bootout gui/501/L',
      'print gui/501/L',
      'sleep 100',
      'print gui/501/L',
      'sleep 100',
      'print gui/501/L',
      'bootstrap gui/501 /p',
    ]);
  });

  test('code 5 is tried again three times, longer each time, then is trouble', () => {
    const { did, result } = drive(load(gui, '/p'), { print: [absent], bootstrap: [EIO] });
    expect(did.filter((step) => step.startsWith('sleep'))).toEqual([
      'sleep 1000',
      'sleep 2000',
      'sleep 4000',
    ]);
    expect(result).toMatchObject({ command: 'bootstrap', meaning: 'io' });
  });

  test('code 5 from a job that is there is no trouble', () => {
    const answers = { print: [absent, running], bootstrap: [EIO] };
    expect(drive(load(gui, '/p'), answers).result).toBeUndefined();
  });

  test('an older launchctl loads, and is not believed without a look', () => {
    const list = [absent, absent, reply(0, '', '{\n\t"PID" = 7;\n}')];
    const { did, result } = drive(load({ kind: 'legacy' }, '/p'), { list });
    expect(did).toEqual(['list L', 'load -w /p', 'list L']);
    expect(result).toMatchObject({ command: 'load' });
  });
});

describe('the session', () => {
  test.each([
    [[ok], 'gui/501'],
    [[reply(125, 'Domain does not support specified action'), ok], 'user/501'],
  ])('is the first that answers', (print, domain) =>
    expect(drive(findTarget(501), { print }).result).toEqual({ kind: 'modern', domain }),
  );
  test('is none where none answers', () =>
    expect(drive(findTarget(501), { print: [reply(112)] }).result).toBeUndefined());
  test('is not asked for of an older launchctl', () =>
    expect(
      drive(findTarget(501), { print: [reply(1, 'launchctl: unknown subcommand "print"')] }).result,
    ).toEqual({ kind: 'legacy' }));
});

describe('stopping', () => {
  test('tells the process once, and sees that it stays ended', () => {
    const { did, result } = drive(halt(gui), { print: [running, running, idle] });
    expect(result).toBe('halted');
    expect(did.filter((step) => step.startsWith('kill'))).toEqual(['kill SIGTERM gui/501/L']);
  });

  test('one that launchd wants to start again is unloaded', () => {
    const scheduled = reply(0, '', 'x = {\n\tstate = spawn scheduled\n}');
    const { did, result } = drive(halt(gui), { print: [running, scheduled, absent] });
    expect(result).toBe('unloaded');
    expect(did).toContain('bootout gui/501/L');
  });

  test('gives up after 65 s', () => {
    expect(drive(unload(gui), { print: [running] }).result).toBe(false);
    expect(drive(halt(gui), { print: [running] }).result).toBe('still-there');
  });

  test('a kick that fails says why', () =>
    expect(drive(kick(gui), { kickstart: [absent] }).result).toMatchObject({
      command: 'kickstart',
      meaning: 'absent',
    }));
});

describe('what launchctl says', () => {
  test.each([
    [0, '', 'ok'],
    [5, 'Bootstrap failed: 5: Input/output error', 'io'],
    [37, 'Bootstrap failed: 37: Operation already in progress', 'already'],
    [36, 'Boot-out failed: 36: Operation now in progress', 'ok'],
    [113, 'Could not find service "x" in domain for user gui: 501', 'absent'],
    [3, 'Boot-out failed: 3: No such process', 'absent'],
    [119, 'Bootstrap failed: 119: Service is disabled', 'disabled'],
    [122, 'Path had bad ownership/permissions', 'bad-file'],
    [125, 'Domain does not support specified action', 'no-domain'],
    [64, 'Unrecognized subcommand: print', 'old'],
    [1, 'Unrecognized target specifier.', 'old'],
    [99, '', 'other'],
  ] as const)('%i %s: %s', (code, text, meaning) =>
    expect(meaningOf(reply(code, text))).toBe(meaning),
  );

  test('of a job, whatever else it prints', () => {
    const text = `gui/501/x = {
\tactive count = 1
\tstate = running
\tenvironment = {
\t\tPATH => /bin
\t}
\truns = 3
\tpid = 4711
\tlast exit code = 78: EX_CONFIG
}`;
    expect(parsePrint(text)).toMatchObject({ running: true, pid: 4711, lastExit: 78, runs: 3 });
    expect(parsePrint('\tlast exit code = (never exited)\n')).not.toHaveProperty('lastExit');
    expect(parsePrint('\tstate = SIGTERMed\n')).toMatchObject({ running: true });
    expect(parsePrint('\tlast terminating signal = Killed: 9\n')).toMatchObject({
      lastSignal: 'Killed: 9',
    });
    expect(parseList('{\n\t"LastExitStatus" = 256;\n};')).toMatchObject({
      running: false,
      lastExit: 1,
    });
  });
});

describe('each refusal has a sentence and a remedy', () => {
  const mine = process.getuid?.() ?? 0;
  test.each([
    [{ kind: 'missing', mode: 0, uid: 0 }, 'job-missing', 'linuxkit-builder configure'],
    [{ kind: 'other', mode: 0o755, uid: mine }, 'job-file-refused', '/p'],
    [{ kind: 'file', mode: 0o664, uid: mine }, 'job-file-refused', "chmod 644 '/p'"],
    [{ kind: 'file', mode: 0o644, uid: 4242 }, 'job-file-refused', 'sudo chown'],
  ] as const)('of a file: %j', (facts, kind, words) => {
    const failure = fileFailure('/p', facts);
    expect(failure?.kind).toBe(kind);
    expect(`${failure?.message ?? ''} ${plainly(failure?.hint ?? '')}`).toContain(words);
  });
  test('none for a good file', () =>
    expect(fileFailure('/p', { kind: 'file', mode: 0o644, uid: mine })).toBeUndefined());

  test.each(['io', 'disabled', 'no-domain', 'already', 'bad-file', 'other'] as const)(
    'of launchd: %s',
    (meaning) => {
      const failure = troubleFailure({ command: 'bootstrap', meaning, reply: EIO }, '/p');
      expect(failure.message).toMatch(/\.$/);
      expect(failure.hint).not.toBe('');
    },
  );
});

describe('a job of the system', () => {
  // Behaviour 200: If sudo refuses a command for the job at boot, the program stops there, and neither tries anything
  // else nor waits.
  test.each(['start', 'stop'] as const)(
    '%s without root ends at the first refusal',
    async (command) => {
      const folder = mkdtempSync(join(tmpdir(), 'refused-'));
      const launchctl = join(folder, 'launchctl');
      const asked = join(folder, 'asked');
      const state = command === 'start' ? 'not running' : 'running';
      writeFileSync(launchctl, `#!/bin/sh\nprintf 'x = {\\n\\tstate = ${state}\\n}'\n`, {
        mode: 0o755,
      });
      const sudo = `echo "$*" >>'${asked}'; echo 'a password is required' >&2; exit 1`;
      const service = launchdService({
        uid: 501,
        plist: '/p',
        launchctl,
        isSystem: true,
        asRoot: (argv) => ['/bin/sh', '-c', sudo, 'sudo', ...argv],
        isChanged: () => false,
        onLoaded: () => expect.fail('nothing was loaded'),
        clock: { ...systemClock, sleep: () => Promise.reject(new Error('nothing to wait for')) },
        signal: new AbortController().signal,
      });
      const failure = await service[command]().then(
        () => expect.fail('it cannot succeed'),
        (error: unknown) => failureOf(error),
      );
      expect(failure).toMatchObject({
        kind: 'root-refused',
        exit: 77,
        lines: ['a password is required'],
      });
      expect(failure.message).toContain(`system/${label}`);
      const calls = readFileSync(asked, 'utf8').trim().split('\n');
      expect(calls).toEqual([expect.stringMatching(command === 'start' ? 'kickstart' : 'kill')]);
      removeTree(folder);
    },
  );

  test('has remedies of the system’s', () => {
    const trouble = { command: 'bootstrap', reply: EIO } as const;
    for (const meaning of ['io', 'already'] as const) {
      const { hint } = troubleFailure({ ...trouble, meaning }, '/p', true);
      expect(hint).toContain(`system/${label}`);
      expect(hint).not.toContain('gui/');
    }
    const mine = { kind: 'file', mode: 0o644, uid: 4242 } as const;
    expect(fileFailure('/p', mine, true)?.hint).toContain('sudo chown root');
  });
});
