/** How many processes have the guest's disk open at a time: looked at all the while, on Linux. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

const everyMs = 50;

export class Census implements Disposable {
  readonly #timer: NodeJS.Timeout;
  /** The most that were ever seen together. */
  most = 0;

  /** disk: the file as /proc names it. */
  constructor(disk: string) {
    this.#timer = setInterval(() => {
      this.most = Math.max(this.most, vmsOn(disk).length);
    }, everyMs);
    this.#timer.unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** The VM processes that have that disk open. */
export const vmsOn = (disk: string): readonly string[] =>
  readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && isVmOn(pid, disk));

function isVmOn(pid: string, disk: string): boolean {
  try {
    // The names of all descriptors of all processes would cost too much, so often.
    if (!readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('qemu-system')) return false;
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((fd) => readlinkSync(`${folder}/${fd}`) === disk);
  } catch {
    // It ended while it was looked at.
    return false;
  }
}
