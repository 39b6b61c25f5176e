/** A group of processes with little memory, where the system lets us make one: root, and a cgroup file system that is writable. */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Need } from '../needs.ts';

export class MemoryGroup implements Disposable {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Undefined where there can be none. */
  static make(bytes: number): MemoryGroup | undefined {
    const [root, limit] = existsSync('/sys/fs/cgroup/memory')
      ? ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes']
      : ['/sys/fs/cgroup', 'memory.max'];
    const path = join(root, `linuxkit-test-${process.pid}-${Date.now()}`);
    try {
      mkdirSync(path);
    } catch {
      return undefined;
    }
    try {
      writeFileSync(join(path, limit), String(bytes), { flag: 'r+' });
      return new MemoryGroup(path);
    } catch {
      rmdirSync(path);
      return undefined;
    }
  }

  /** Puts a process into it; what that takes from now on counts. */
  add(pid: number): void {
    writeFileSync(join(this.#path, 'cgroup.procs'), String(pid));
  }

  [Symbol.dispose](): void {
    rmdirSync(this.#path);
  }
}

/** That this system lets us make one. */
export const memoryLimits: Need = {
  what: 'a control group for memory (root on Linux)',
  isMet: (() => {
    const group = MemoryGroup.make(100_000_000);
    group?.[Symbol.dispose]();
    return group !== undefined;
  })(),
};
