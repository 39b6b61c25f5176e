/** Which process listens on a port, where the system can tell. */
import { readFileSync, readdirSync } from 'node:fs';
import { run, succeeded } from '../system/process/child.ts';
import { linkOf } from '../system/files/final-target.ts';
import { quoted } from '../system/plain-text.ts';
import { tableIn } from './peers.ts';

/** The listener in words: `node (pid 42)`; undefined when it belongs to somebody we cannot look at. */
export async function portOwner(port: number): Promise<string | undefined> {
  return process.platform === 'linux' ? fromProc(port) : fromLsof(port);
}

/** Inodes of the sockets that listen on a port, from the text of /proc/net/tcp or tcp6 (proc(5)). */
export function listeningInodes(table: string, port: number): string[] {
  const listen = '0A';
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  return table
    .split('\n')
    .slice(1)
    .map((row) => row.trim().split(/\s+/))
    .filter((row) => row[1]?.endsWith(`:${hexPort}`) === true && row[3] === listen)
    .map((row) => row[9] ?? '');
}

/** The first process of `lsof -Fpc` output in words. */
export function lsofOwner(output: string): string | undefined {
  const pid = /^p(\d+)$/m.exec(output)?.[1];
  const command = /^c(.+)$/m.exec(output)?.[1];
  return pid === undefined ? undefined : `${quoted(command) ?? 'a process'} (pid ${pid})`;
}

function fromProc(port: number): string | undefined {
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].map((path) => tableIn(path) ?? '');
  const sockets = new Set(
    tables.flatMap((table) => listeningInodes(table, port)).map((inode) => `socket:[${inode}]`),
  );
  const pid = readdirSync('/proc').find(
    (name) => /^\d+$/.test(name) && descriptors(name).some((target) => sockets.has(target)),
  );
  return pid === undefined ? undefined : `${commandOf(pid)} (pid ${pid})`;
}

/** What the descriptors of a process point to; none when it is another user's or has just ended. */
function descriptors(pid: string): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`) ?? '');
  } catch {
    return [];
  }
}

function commandOf(pid: string): string {
  try {
    // Any process chooses its own name, and its owner may be anybody.
    return quoted(readFileSync(`/proc/${pid}/comm`, 'utf8')) ?? 'a process';
  } catch {
    // It has ended meanwhile.
    return 'a process';
  }
}

async function fromLsof(port: number): Promise<string | undefined> {
  const argv = ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc'];
  const ran = await run('/usr/sbin/lsof', argv, { timeoutMs: 5000 });
  return succeeded(ran) ? lsofOwner(ran.stdout) : undefined;
}
