import { describe, expect, test } from 'vitest';
import { groupLimits } from '../../src/system/host/resource-limits.ts';

const MiB = 1024 ** 2;
const limitsOf = (files: Readonly<Record<string, string>>) => groupLimits((path) => files[path]);
const v2 = '/sys/fs/cgroup';

// Behaviour 93: The daemon counts only as much of the host's memory and CPUs as a container, a systemd slice or a
// quota allows. It takes all control groups up to the root into account.
describe('the limits of our control groups', () => {
  test('are none where nothing says so', () => {
    expect(limitsOf({})).toEqual({ memoryBytes: undefined, cpus: undefined });
    expect(
      limitsOf({
        '/proc/self/cgroup': '0::/user.slice\n',
        [`${v2}/user.slice/memory.max`]: 'max\n',
        [`${v2}/user.slice/cpu.max`]: 'max 100000\n',
      }),
    ).toEqual({ memoryBytes: undefined, cpus: undefined });
  });

  test('of version 2 are the least of all groups from ours up', () => {
    expect(
      limitsOf({
        '/proc/self/cgroup': '0::/a.slice/b.service\n',
        [`${v2}/a.slice/memory.max`]: `${1500 * MiB}\n`,
        [`${v2}/a.slice/b.service/memory.max`]: `${6000 * MiB}\n`,
        [`${v2}/a.slice/cpu.max`]: '250000 100000\n',
        [`${v2}/a.slice/b.service/cpu.max`]: 'max 100000\n',
      }),
    ).toEqual({ memoryBytes: 1500 * MiB, cpus: 2.5 });
  });

  test('of a container are those of its root, whatever its own path is called', () => {
    expect(
      limitsOf({
        '/proc/self/cgroup': '0::/../../docker/0123\n',
        [`${v2}/memory.max`]: `${2048 * MiB}\n`,
      }).memoryBytes,
    ).toBe(2048 * MiB);
  });

  test('of version 1 are read by controller, where no limit is a number that no machine has', () => {
    const files = {
      '/proc/self/cgroup': '7:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n1:name=systemd:/x\n',
      [`${v2}/memory/memory.limit_in_bytes`]: '9223372036854771712\n',
      [`${v2}/memory/docker/1/memory.limit_in_bytes`]: `${700 * MiB}\n`,
      [`${v2}/cpu,cpuacct/docker/1/cpu.cfs_quota_us`]: '150000\n',
      [`${v2}/cpu,cpuacct/docker/1/cpu.cfs_period_us`]: '100000\n',
      [`${v2}/cpu/cpu.cfs_quota_us`]: '-1\n',
      [`${v2}/cpu/cpu.cfs_period_us`]: '100000\n',
    };
    expect(limitsOf(files)).toEqual({ memoryBytes: 700 * MiB, cpus: 1.5 });
  });
});
