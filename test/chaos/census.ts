/** Looks at the processes of a round all the while, on Linux, and has the judge see them. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import type { BuilderRig } from '../real/rig.ts';
import { Judge } from './judge.ts';
import { pidOf } from './prey.ts';

const everyMs = 50;

export class Census implements Disposable {
  readonly judge = new Judge();
  readonly #timer: NodeJS.Timeout;

  constructor(rig: BuilderRig) {
    // As /proc names it.
    const { disk } = rig.layout;
    this.#timer = setInterval(() => {
      const pair = pairOf(rig);
      this.judge.see({ onDisk: vmsOn(disk), ...(pair === undefined ? {} : { pair }) });
    }, everyMs);
    this.#timer.unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** The VM that was there before and after the network was looked for: of others nobody knows that they met. */
function pairOf(rig: BuilderRig): { readonly vm: number; readonly network: number } | undefined {
  const vm = pidOf(rig, 'vm');
  const network = pidOf(rig, 'network');
  return vm === undefined || network === undefined || pidOf(rig, 'vm') !== vm
    ? undefined
    : { vm, network };
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
