import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { afterLoss, defaultPolicy } from '../../src/supervisor/lifecycle/backoff.ts';
import { vmKilled } from '../../src/supervisor/health/child-failures.ts';
import { MemoryWatch } from '../../src/supervisor/health/memory-watch.ts';
import { oomKills, readOomKills } from '../../src/system/host/host-memory.ts';
import { MemoryGroup, memoryLimits } from '../rig/memory-group.ts';
import { needs } from '../needs.ts';
import { saying } from '../fakes/saying.ts';

describe('the count of the system', () => {
  test('is read', () => expect(readOomKills('oom_kill_x 3\noom_kill 12\nnr 1\n')).toBe(12));
  test.each(['', 'oom_kill x', 'nr_free 1'])('is not there in %j', (text) =>
    expect(readOomKills(text)).toBeUndefined(),
  );

  test('grows with a process that is killed for want of memory', needs(memoryLimits), async () => {
    using group = MemoryGroup.make(60_000_000);
    const before = oomKills() ?? 0;
    const greedy = "process.stdin.once('data', () => Buffer.alloc(400_000_000, 1))";
    const child = spawn(process.execPath, ['-e', greedy], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    group?.add(child.pid ?? 0);
    child.stdin.on('error', () => undefined).write('now');
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    expect(oomKills()).toBeGreaterThan(before);
  });
});

// Behaviour 92: On Linux, the daemon can tell whether a VM was killed by a user or because the host ran out of
// memory, and in the second case restarts it after 2 s instead of at once. On macOS it cannot tell, because macOS
// does not count kills for lack of memory.
describe('a VM that was killed', () => {
  const watched = (...counts: readonly (number | undefined)[]) => {
    const left = [...counts];
    const watch = new MemoryWatch(() => left.shift());
    // It looks with each sixth.
    while (left.length > 1) for (let n = 0; n < 6; n++) watch.tick();
    return watch.ranOut();
  };

  test.each([
    ['in an ordinary moment', [3, 3, 3], false],
    ['after others were, long ago', [3, 4, 4, 4, 4], false],
    ['and counted at once', [3, 3, 4], true],
    ['and was counted before it was dead', [3, 3, 4, 4], true],
    ['where nobody counts', [undefined, undefined, undefined], undefined],
  ])('%s', (_when, counts, ranOut) => expect(watched(...counts)).toBe(ranOut));

  test('for want of memory is started again later than one that somebody killed', () => {
    const delays = ([true, false, undefined] as const).map((ranOut) => {
      const next = afterLoss(vmKilled('qemu', ranOut, []), 1, defaultPolicy);
      return next.type === 'retry' ? next.ms : undefined;
    });
    expect(delays).toEqual([2_000, 250, 250]);
  });

  test('is told with what is known', () => {
    expect(vmKilled('qemu', true, [])).toMatchObject({
      kind: 'host-out-of-memory',
      hint: saying('configure -m'),
    });
    const [other, unknown] = [vmKilled('qemu', false, []), vmKilled('qemu', undefined, [])];
    expect([other.kind, unknown.kind]).toEqual(['vm-killed', 'vm-killed']);
    expect(other.message).not.toBe(unknown.message);
  });
});
