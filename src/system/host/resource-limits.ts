/** What a container, a slice, a service manager or a shell leaves of this machine: the limits of our control groups (Linux), and of this process. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { userLimits } from './user-limits.ts';

interface Limits {
  /** The least memory that any of our groups allows, in bytes; undefined where none is limited. */
  readonly memoryBytes: number | undefined;
  /** The least share of processors, as a number of them; undefined where none is limited. */
  readonly cpus: number | undefined;
}

/** `read` gives a file's text, or undefined; for tests another machine's. */
type Read = (path: string) => string | undefined;

/**
 * The limits of the groups that this process is in, from its own up to the root: a limit of a group binds all below it. See
 * cgroups(7), and the kernel's admin-guide: cgroup-v2 (memory.max, cpu.max), cgroup-v1 (memory.limit_in_bytes) and
 * scheduler/sched-bwc (cpu.cfs_quota_us).
 */
export function groupLimits(read: Read = readOrNothing): Limits {
  const groups = (read('/proc/self/cgroup') ?? '').split('\n').flatMap(groupIn);
  const files = (controller: string) => groups.flatMap(pathsOf(controller));
  return {
    memoryBytes: least(
      files('memory').flatMap((folder) => [
        numberIn(read(join(folder, 'memory.max'))),
        numberIn(read(join(folder, 'memory.limit_in_bytes'))),
      ]),
    ),
    cpus: least(
      files('cpu').flatMap((folder) => [
        shareIn(read(join(folder, 'cpu.max'))?.split(' ')),
        shareIn([read(join(folder, 'cpu.cfs_quota_us')), read(join(folder, 'cpu.cfs_period_us'))]),
      ]),
    ),
  };
}

/** In bytes, whatever Node calls it; undefined where files may be of any size. */
export function fileSizeLimit(): number | undefined {
  const soft = userLimits()['file_size_blocks']?.soft;
  return typeof soft === 'number' ? soft : undefined;
}

interface Group {
  /** None: the one hierarchy of version 2. */
  readonly controllers: readonly string[];
  readonly path: string;
}

/** A line of /proc/self/cgroup: "4:cpu,cpuacct:/a/b", or of version 2 "0::/a/b". */
function groupIn(line: string): Group[] {
  const [, names, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
  if (names === undefined || path === undefined) return [];
  return [{ controllers: names === '' ? [] : names.split(','), path }];
}

/** The group's folder and those above it. In a container they may be mounted as the root, so that is always one of them. */
const pathsOf =
  (controller: string) =>
  ({ controllers, path }: Group): string[] => {
    if (controllers.length > 0 && !controllers.includes(controller)) return [];
    const mounts =
      controllers.length === 0
        ? ['/sys/fs/cgroup', '/sys/fs/cgroup/unified']
        : [`/sys/fs/cgroup/${controller}`, `/sys/fs/cgroup/${controllers.join(',')}`];
    const parts = path.split('/').filter((part) => part !== '' && part !== '..');
    const above = Array.from({ length: parts.length + 1 }, (_, n) => parts.slice(0, n).join('/'));
    return mounts.flatMap((mount) => above.map((group) => join(mount, group)));
  };

/** Version 1 says "no limit" by a number that no machine has. */
const endless = 2 ** 60;

function numberIn(text: string | undefined): number | undefined {
  const value = Number(text?.trim() || NaN);
  return value > 0 && value < endless ? value : undefined;
}

/** A quota and its period, in microseconds; "max" and -1 are none. */
function shareIn([quota, period]: readonly (string | undefined)[] = []): number | undefined {
  const [of, per] = [numberIn(quota), numberIn(period)];
  return of === undefined || per === undefined ? undefined : of / per;
}

function least(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
