/** Takes something away from a running builder, until it is given back. */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { BuilderRig } from '../real/rig.ts';
import type { Shortage } from './plan.ts';
import { pidOf } from './prey.ts';

/** Gives back what was taken. */
export type Relief = () => void;

export const takeAway: Readonly<Record<Shortage['of'], (rig: BuilderRig) => Relief>> = {
  disk: fillDisk,
  descriptors: takeDescriptors,
};

/** The file system of the rig must be a tmpfs of its own: made as small as what is in it, it is full, and takes no memory. */
function fillDisk({ dir }: BuilderRig): Relief {
  const place = dirname(dir);
  const { blocks, bsize } = statfsSync(place);
  // Refused when more has been written since it was asked.
  for (let tries = 50; ; tries--)
    try {
      resize(place, usedBytes(place));
      break;
    } catch (error) {
      if (tries === 0) throw error;
    }
  return () => resize(place, blocks * bsize);
}

function usedBytes(place: string): number {
  const { blocks, bfree, bsize } = statfsSync(place);
  return (blocks - bfree) * bsize;
}

const resize = (place: string, bytes: number): unknown =>
  execFileSync('mount', ['-o', `remount,size=${bytes}`, place], { stdio: 'pipe' });

/** Leaves the daemon, if it lives, no descriptor beyond those that it has. */
function takeDescriptors(rig: BuilderRig): Relief {
  const pid = pidOf(rig, 'daemon');
  const isThere = () => pid !== undefined && pidOf(rig, 'daemon') === pid;
  try {
    const before = /^Max open files +(\d+)/m.exec(
      readFileSync(`/proc/${String(pid)}/limits`, 'utf8'),
    )?.[1];
    const most = Math.max(...readdirSync(`/proc/${String(pid)}/fd`).map(Number)) + 1;
    limit(pid, most);
    return () => {
      if (isThere()) limit(pid, before ?? 1024);
    };
  } catch (error) {
    if (isThere()) throw error;
    return () => undefined;
  }
}

/** Only the soft limit: what was taken can be given back. */
const limit = (pid: number | undefined, most: number | string): unknown =>
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${most}:`]);
