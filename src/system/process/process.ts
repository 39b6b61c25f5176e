/** Who a pid is: enough to tell our process from a stranger that was given the same number. */
import { spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { errorCode, Exit, Failed, type Failure } from '../failure.ts';
import { refusal } from '../files/reasons.ts';

/** A process, told from all others that there were or will be. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot on Linux; the UTC start time, to the second, on macOS. Compared, never computed with. */
  readonly started: string;
  /** Differs after each boot of the host: pids and start times begin anew there. */
  readonly boot: string;
  /** Base name of the running program. */
  readonly program: string;
}

/** The live process with that pid, or undefined: gone, or a zombie, which is as good as gone. */
export function identify(pid: number): ProcessIdentity | undefined {
  return process.platform === 'linux' ? identifyLinux(pid) : identifyPs(pid);
}

/** True when that very process still runs: pid, start time, boot and program all match. */
export function isAlive(identity: ProcessIdentity): boolean {
  const now = identify(identity.pid);
  return (
    now !== undefined &&
    now.started === identity.started &&
    now.boot === identity.boot &&
    isProgram(now.program, identity.program)
  );
}

/**
 * Whether what runs is the program that was started under that name. Nixpkgs puts a script in a program's place, which becomes
 * `.NAME-wrapped` beside it, with an underscore for each further wrapping.
 */
export function isProgram(running: string, name: string): boolean {
  return running.replace(/^\.(.+)-wrapped_*$/, '$1') === name || running === name;
}

let boot: string | undefined;
/** The host's current boot. Not kern.boottime: that moves when the clock is set. Failed `no-proc`. */
export function bootId(): string {
  boot ??=
    process.platform === 'linux'
      ? linuxBootId()
      : spawnSync('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid'], {
          encoding: 'utf8',
        }).stdout.trim();
  return boot;
}

function linuxBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch (error) {
    throw new Failed(noProc(errorCode(error)), { cause: error });
  }
}

/** Without it no process can be told from another that has had its pid. */
export const noProc = (code?: string): Failure => ({
  kind: 'no-proc',
  message: `Cannot read /proc${code === undefined ? '' : ` (${refusal(code)})`}, which tells the builder's processes from others.`,
  hint: 'Mount it, as root: mount -t proc proc /proc. In a container or a chroot, have it mounted at its start.',
  exit: Exit.osError,
  recovery: 'give-up',
});

function identifyLinux(pid: number): ProcessIdentity | undefined {
  try {
    // proc(5): the name in parentheses may hold spaces and parentheses; state is field 3, start time field 22.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return { pid, started: fields[19] ?? '', boot: bootId(), program: programLinux(pid, stat) };
  } catch {
    // It has ended, or is hidden from us.
    return undefined;
  }
}

/** The program file's name. Of other users' processes only the kernel's 15 characters can be read. */
function programLinux(pid: number, stat: string): string {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, '');
  } catch {
    return stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
  }
}

/** The same by ps(1), for systems without /proc. It prints the start time in the caller's zone and language, so both are fixed. */
export function identifyPs(pid: number): ProcessIdentity | undefined {
  const argv = ['-o', 'state=', '-o', 'lstart=', '-o', 'comm=', '-p', String(pid)];
  const env = { PATH: '/usr/bin:/bin', TZ: 'UTC', LC_ALL: 'C' };
  const { stdout } = spawnSync('ps', argv, { encoding: 'utf8', env });
  const match = /^(\S+)\s+(\w+ +\w+ +\d+ [\d:]+ \d+)\s+(.+)$/.exec(stdout.trim());
  if (match === null || match[1]?.startsWith('Z') === true) return undefined;
  return { pid, started: match[2] ?? '', boot: bootId(), program: basename(match[3] ?? '') };
}

/** What a session's leader, or one of its own, let lead another session. Nobody is found where there is no ps. */
export function whoLeft(leader: number): readonly number[] {
  const argv = ['-A', '-o', 'pid=,ppid=,pgid='];
  const { stdout } = spawnSync('ps', argv, { encoding: 'utf8', timeout: 1_000 });
  // Null where there is none, whatever the types say.
  const rows = ((stdout as string | null) ?? '').trim().split('\n');
  const processes = rows.map((row) => row.trim().split(/\s+/).map(Number));
  const family = new Set([leader]);
  for (let size = 0; size < family.size;) {
    size = family.size;
    for (const [pid, parent] of processes)
      if (pid !== undefined && parent !== undefined && family.has(parent)) family.add(pid);
  }
  return processes.flatMap(([pid, , group]) =>
    pid !== undefined && family.has(pid) && group !== leader ? [pid] : [],
  );
}
