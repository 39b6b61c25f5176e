import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  launch,
  run,
  signalGroup,
  type Child,
  type Launch,
} from '../../src/system/process/child.ts';
import { whyFailed } from '../../src/system/process/end-words.ts';
import { lockHeld } from '../../src/system/lock/flock.ts';
import { systemClock } from '../../src/system/time/clock.ts';
import { Exit } from '../../src/system/failure.ts';
import { isLocked } from '../../src/system/lock/lock.ts';
import { identify } from '../../src/system/process/process.ts';
import { makeProgram, outcome, runProgram } from '../rig/other-process.ts';
import { needs } from '../needs.ts';
import { removeTree } from '../remove-tree.ts';

let dir = '';
const started: Child[] = [];
const files = () => ({ output: join(dir, 'out'), lock: join(dir, 'lock') });
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'child-'));
});
afterEach(async () => {
  for (const child of started.splice(0)) await child.stop(0);
  removeTree(dir);
});

const sh = (script: string): Launch => ({
  program: '/bin/sh',
  argv: ['-c', script],
  env: { PATH: '/usr/bin:/bin', ONLY: 'this' },
  cwd: dir,
});
const begin = async (what: Launch): Promise<Child> => {
  const child = await launch(what, files(), systemClock);
  if ('kind' in child) throw new Error(child.reason);
  started.push(child);
  return child;
};
const output = () => readFileSync(join(dir, 'out'), 'utf8');
const until = async (fact: () => boolean) => {
  while (!fact()) await systemClock.sleep(2);
};

// Behaviour 3: Each child of the daemon (a VM program or a network program) runs in its own session and holds a
// kernel lock on its own file. The daemon keeps no copy of that lock, so the lock is released within milliseconds of
// the child's death, whatever has happened to the daemon.
describe('a child', () => {
  test('holds its lock for its life and we hold no copy', async () => {
    const child = await begin(sh('exec sleep 60'));
    await until(() => identify(child.pid)?.program === 'sleep');
    expect(isLocked(join(dir, 'lock'))).toBe(true);
    child.signal('SIGKILL');
    expect(await child.ended).toEqual({ kind: 'signalled', signal: 'SIGKILL' });
    expect(isLocked(join(dir, 'lock'))).toBe(false);
  });

  test.each([
    ['too many words', { argv: ['x'.repeat(3_000_000)] }],
    ['a word that is none', { argv: ['a\0b'] }],
    ['no directory to be in', { cwd: '/nowhere' }],
  ])('that the system refuses for %s is told as not started', async (_, odd) => {
    const refused = await launch({ ...sh('true'), ...odd }, files(), systemClock);
    expect(refused).toMatchObject({ kind: 'not-started' });
    expect(isLocked(join(dir, 'lock'))).toBe(false);
  });

  test('is not started twice on one lock', async () => {
    const first = await begin(sh('exec sleep 60'));
    await until(() => identify(first.pid)?.program === 'sleep');
    const second = await begin(sh('echo ran'));
    expect(await second.ended).toEqual({ kind: 'exited', code: lockHeld });
    expect(output()).not.toContain('ran');
  });

  // There the lock is taken in the opening, which a lease makes fail in the same way.
  test(
    'is not started twice on one lock on macOS either, and that is no fault',
    needs('Linux'),
    async () => {
      const lease =
        '$SIG{IO} = "IGNORE"; open(F, "+>>", shift); fcntl(F, 1024, 1) or die; print 1; sleep 60';
      const holder = spawn('perl', ['-e', `$| = 1; ${lease}`, join(dir, 'lock')]);
      try {
        await once(holder.stdout, 'data');
        Object.defineProperty(process, 'platform', { value: 'darwin' });
        const failure = { kind: 'child-lock-held', exit: Exit.temporary };
        await expect(begin(sh('echo ran'))).rejects.toMatchObject({ failure });
        expect(isLocked(join(dir, 'lock'))).toBe(true);
      } finally {
        Object.defineProperty(process, 'platform', { value: 'linux' });
        holder.kill('SIGKILL');
      }
    },
  );

  test('keeps the pid that it was given', async () => {
    const child = await begin(sh('exec sleep 60'));
    await until(() => identify(child.pid)?.program === 'sleep');
  });

  test('writes to its file, has our environment and nothing more', async () => {
    const child = await begin(sh('env; echo words >&2; exit 3'));
    expect(await child.ended).toEqual({ kind: 'exited', code: 3 });
    expect(output()).toContain('ONLY=this');
    expect(output()).toContain('words');
    expect(output()).not.toContain('HOME=');
  });

  test('has ended although somebody still holds its output', async () => {
    const child = await begin(sh('sleep 60 & exit 0'));
    expect(await child.ended).toEqual({ kind: 'exited', code: 0 });
  });

  test('that ignores SIGTERM is killed after the grace, with its group', async () => {
    const child = await begin(
      sh("trap '' TERM; sleep 1000 & echo $!; while :; do sleep 1000; done"),
    );
    await until(() => /\d+/.test(output()));
    const grandchild = Number(output().trim());
    const ended = await child.stop(50);
    expect(ended).toEqual({ kind: 'signalled', signal: 'SIGKILL' });
    await until(() => identify(grandchild) === undefined);
  });

  test('is killed with what it let lead a session of its own', async () => {
    const away = "setsid sh -c 'sleep 1000 & echo $!; exec sleep 1000'";
    const child = await begin(sh(`${away} & echo $!; exec sleep 1000`));
    await until(() => output().trim().split('\n').length === 2);
    const theirs = output().trim().split('\n').map(Number);
    const are = (program: string | undefined) => () =>
      theirs.every((pid) => identify(pid)?.program === program);
    await until(are('sleep'));
    try {
      child.signal('SIGKILL');
      await until(are(undefined));
    } finally {
      for (const pid of theirs) if (identify(pid) !== undefined) process.kill(pid, 'SIGKILL');
    }
  });

  test('is killed also where there is no ps', async () => {
    const program = await makeProgram(
      dir,
      `
      import { launch } from '../../src/system/process/child.ts';
      import { systemClock } from '../../src/system/time/clock.ts';
      const dir = process.argv[2];
      process.env.PATH = dir;
      const what = { program: 'sleep', argv: ['60'], env: { PATH: '/usr/bin:/bin' }, cwd: dir };
      const child = await launch(what, { output: dir + '/out', lock: dir + '/lock' }, systemClock);
      child.signal('SIGKILL');
      console.log(JSON.stringify(await child.ended));
      await systemClock.sleep(50);
      console.log('lives');
      `,
    );
    const { said, code } = await outcome(runProgram(program, [dir]));
    expect(said).toBe('{"kind":"signalled","signal":"SIGKILL"}\nlives\n');
    expect(code).toBe(0);
  });

  test('that obeys is not killed', async () => {
    const child = await begin(sh("trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done"));
    await until(() => output().includes('up'));
    expect(await child.stop(60_000)).toEqual({ kind: 'exited', code: 0 });
  });

  test('whose program is missing ends with words', async () => {
    const child = await begin({ ...sh(''), program: join(dir, 'nothing') });
    expect(await child.ended).not.toEqual({ kind: 'exited', code: 0 });
    expect(output()).toContain('nothing');
  });

  test('whose directory is missing is not started', async () => {
    const child = await launch({ ...sh(''), cwd: join(dir, 'nowhere') }, files(), systemClock);
    expect(child).toMatchObject({ kind: 'not-started' });
  });
});

/** Its death is all that differs; each would end a child that a library looks after, or leave one that nobody can find. */
describe('a child outlives us, and is found by its lock, when we end by', () => {
  const parent = `
    import { launch } from '../../src/system/process/child.ts';
    import { systemClock } from '../../src/system/time/clock.ts';
    const [dir, how] = process.argv.slice(2);
    const what = { program: 'sleep', argv: ['60'], env: { PATH: '/usr/bin:/bin' }, cwd: dir };
    const { pid } = await launch(what, { output: dir + '/out', lock: dir + '/lock' }, systemClock);
    console.log(pid);
    setInterval(() => undefined, 1000);
    if (how === 'an exit') process.exit(0);
    if (how === 'an exception') setImmediate(() => { throw new Error('as it happens'); });
    if (how === 'an abort') process.abort();
  `;
  test.each(['an exit', 'an exception', 'an abort', 'SIGTERM', 'SIGINT', 'SIGHUP', 'SIGKILL'])(
    '%s',
    async (how) => {
      const daemon = runProgram(await makeProgram(dir, parent), [dir, how]);
      const [said] = (await once(daemon.stdout ?? daemon, 'data')) as [Buffer];
      const child = Number(said.toString());
      try {
        if (how.startsWith('SIG')) daemon.kill(how as NodeJS.Signals);
        if (daemon.exitCode === null && daemon.signalCode === null) await once(daemon, 'exit');
        await until(() => identify(child)?.program === 'sleep');
        expect(isLocked(join(dir, 'lock'))).toBe(true);
      } finally {
        signalGroup(child, 'SIGKILL');
      }
      await until(() => !isLocked(join(dir, 'lock')));
    },
  );
});

test('a session that forks faster than its tree could be walked is ended whole', async () => {
  // Each generation ends when it has begun the next: whoever is found has gone, whoever is there was not yet. dash recurses 1,000
  // deep, so another one goes on then; all of them last for longer than any machine takes to end them.
  const generations = 50_000;
  const file = join(dir, 'generations');
  writeFileSync(
    file,
    `next() {
       echo $1
       [ $(($1 % 900)) != 0 ] || exec sh '${file}' $(($1 + 1))
       [ $1 -lt ${generations} ] && next $(($1 + 1)) &
     }
     next $1`,
  );
  const child = await begin(sh(`sh '${file}' 1; sleep 60`));
  await until(() => output().split('\n').length > 10);
  await child.stop(0);
  await until(() => !isLocked(join(dir, 'lock')));
  expect(output().split('\n').length).toBeLessThan(generations);
});

// Execa meets a child without streams there, and Node an event without a listener, which would end us.
// Behaviour 229: If no file descriptor is free to start a program, that program counts as not started, and the
// process that tried to start it continues.
test('a command for which no file can be opened is one that was not started', async () => {
  const program = await makeProgram(
    dir,
    `import { closeSync, openSync } from 'node:fs';
    import { run } from '../../src/system/process/child.ts';
    await run('/bin/true', []);
    const open = [];
    try { for (;;) open.push(openSync('/dev/null', 'r')); } catch {}
    for (const left of [2, 6]) {
      for (let n = 0; n < left; n++) closeSync(open.pop());
      const { ended } = await run('/bin/true', []);
      console.log(ended.kind, ended.reason);
    }
    open.forEach(closeSync);
    console.log((await run('/bin/true', [])).ended.kind);`,
  );
  const limited = ['-c', 'ulimit -n 200 && exec "$0" "$1"', process.execPath, program];
  const { code, said } = await outcome(spawn('/bin/sh', limited));
  expect([code, said]).toEqual([0, 'not-started EMFILE\nnot-started EMFILE\nexited\n']);
});

test('a command that is over its time is not waited for because somebody else holds its output', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'held-'));
  const file = join(dir, 'pid');
  const ran = await run('sh', ['-c', `sleep 60 & echo $! >${file}; wait`], { timeoutMs: 1_000 });
  expect(ran.ended).toEqual({ kind: 'timed-out' });
  // It lives: whoever waited for the output would have waited for its end.
  expect(process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL')).toBe(true);
  removeTree(dir);
});

// As sudo's: it begins as somebody else's than we are by then. It ends when we let go of its output.
test(
  'a command that is over its time, and not ours to end, is not waited for',
  needs('root'),
  async () => {
    const program = await makeProgram(
      dir,
      `import { existsSync } from 'node:fs';
    import { run } from '../../src/system/process/child.ts';
    import { systemClock } from '../../src/system/time/clock.ts';
    const { signal } = new AbortController();
    const begun = process.argv[2] ?? '';
    const argv = ['-c', ': >"$0"; while echo; do sleep 1; done', begun];
    const running = run('sh', argv, { timeoutMs: 1_000, signal });
    while (!existsSync(begun)) await systemClock.sleep(5);
    process.setuid(65534);
    console.log((await running).ended.kind);`,
    );
    const begun = join(dir, 'begun');
    expect(await outcome(runProgram(program, [begun]))).toMatchObject({
      code: 0,
      said: 'timed-out\n',
    });
  },
);

test.each([
  [{ kind: 'exited', code: 1 }, ' it says why\n', 'it says why'],
  [{ kind: 'exited', code: 1 }, '', 'it exited with code 1'],
  [{ kind: 'not-started', reason: 'EMFILE' }, '', 'it could not be started (too many open files)'],
  [{ kind: 'signalled', signal: 'SIGKILL' }, '\n', 'it was killed by SIGKILL'],
] as const)('why a command failed, %j with %j: %s', (ended, stderr, why) =>
  expect(whyFailed({ ended, stdout: '', stderr })).toBe(why),
);
