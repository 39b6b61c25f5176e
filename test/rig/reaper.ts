/**
 * The end of what a test began, when the process that ran the test has ended, however that ended: vitest stops a worker whose test does
 * not come back, and nothing in it is done any more.
 */
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/** Ends whatever names this directory or works in it, and removes it, as soon as we are no more. Nobody has to call it off. */
export function reapAfterUs(dir: string): void {
  // A session of its own: what ends our group does not end it.
  const reaper = spawn('/bin/sh', ['-c', script], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', REAPED: dir },
  });
  reaper.on('error', () => undefined).unref();
  (reaper.stdin as Socket | null)?.unref();
}

/** Its input is a pipe of ours, which the kernel closes. A daemon may begin another process meanwhile, so it looks until there is none. */
const script = `
cat >/dev/null
tries=0
while [ $tries -lt 100 ] && [ -d "$REAPED" ]; do
    tries=$((tries + 1))
    left=$(ps -axww -o pid=,command= | while read -r pid words; do
        place=$(readlink "/proc/$pid/cwd")
        case "$words $place/" in *"$REAPED"/*) kill -KILL "$pid" && echo "$pid" ;; esac
    done)
    [ -z "$left" ] && rm -rf "$REAPED"
    sleep 0.1
done
`;
