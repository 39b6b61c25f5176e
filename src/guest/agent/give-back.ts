/**
 * What a guest gives back to its host: memory that only caches hold, blocks that are free, store paths that nothing keeps. Run by the
 * agent, which needs no login.
 */
import { Exit, Failed, type Failure } from '../../system/failure.ts';
import { inMarks } from '../../system/plain-text.ts';
import type { GuestAgent } from './agent.ts';
import { keptBuilds, keptMinutes } from '../debug/kept-builds.ts';
import { readRoom, type StoreRoom } from './inside.ts';
import { advice, ours } from '../../system/advice.ts';

type Agent = Pick<GuestAgent, 'exec'>;

/** Much to write out. */
const tidyMs = 120_000;
/** A store of hundreds of thousands of paths; a disk that is far away. */
const longMs = 3_600_000;
/** A guest that is busy may say nothing for a minute: each question waits 5 s for its answer. */
const silences = 12;
/** EX_TEMPFAIL of sysexits.h. */
const inUse = 75;
/** EX_IOERR. */
const notBegun = 74;

/**
 * Has the guest write out what is to be written, and drop its caches where that is worth it; then how much room its store has. `in-use`
 * where a build runs: nothing was done. Undefined where it does not say. Rejects as {@link GuestAgent.exec}.
 */
export async function tidyGuest(
  agent: Agent,
  signal: AbortSignal,
): Promise<StoreRoom | 'in-use' | undefined> {
  const run = { signal, timeoutMs: tidyMs, silences };
  const { code, stdout } = await agent.exec('/bin/sh', ['-c', tidyScript('')], run);
  return code === inUse ? 'in-use' : readRoom(stdout);
}

/** Gives the free blocks of the guest's store back; true when it could. Rejects as {@link GuestAgent.exec}. */
export async function trimGuest(agent: Agent, signal: AbortSignal): Promise<boolean> {
  const run = { signal, timeoutMs: longMs, silences };
  return (await agent.exec('/bin/sh', ['-c', 'sync; exec fstrim /nix'], run)).code === 0;
}

/** How much of the guest's store goes. */
export interface Collection {
  /** So many bytes are enough; absent: all that nothing keeps. */
  readonly bytes?: number;
  /** What came into the store within so many minutes stays, whoever brought it. */
  readonly keepMinutes: number;
}

/**
 * Deletes store paths that nothing keeps; how much room there is then, and whether it came to its end. Undefined where the guest does not
 * say. Failed `collection-not-begun` where what is to stay cannot be kept: nothing was deleted. Rejects as {@link GuestAgent.exec}.
 */
export async function collectGarbage(
  agent: Agent,
  { bytes, keepMinutes }: Collection,
  signal: AbortSignal,
): Promise<(StoreRoom & { readonly isDone: boolean }) | undefined> {
  const argv = ['-c', collectScript(''), 'collect', String(keepMinutes), String(bytes ?? '')];
  const run = { signal, timeoutMs: longMs, silences };
  const { code, stdout, stderr } = await agent.exec('/bin/sh', argv, run);
  if (code === notBegun) throw new Failed(cannotKeep(stderr));
  const room = readRoom(stdout);
  return room && { ...room, isDone: code === 0 };
}

/**
 * Has a collection end where it is: what was deleted is deleted, and the store is whole. `none` where none runs, or none any more. Failed
 * `collection-not-told` where the guest cannot say. Rejects as {@link GuestAgent.exec}.
 */
export async function stopCollecting(agent: Agent, signal: AbortSignal): Promise<'told' | 'none'> {
  const run = { signal, timeoutMs: 10_000 };
  const { code, stderr } = await agent.exec('/bin/sh', ['-c', stopScript('')], run);
  if (code > 1) throw new Failed(notTold(stderr));
  return code === 0 ? 'told' : 'none';
}

/** Less than this many KiB in caches is what the next login needs first. */
const worthKiB = 65_536;

/** The kernel reports about a sixteenth of what is free, every 2 s (mm/page_reporting.c). */
const reportsS = 40;

/**
 * The kernel reports free memory in pieces of 2 MiB, so that each page in use keeps as much with the guest. After the caches are dropped
 * single pages count too, for as long as it takes to report them: in use that would cost more than it brings.
 */
const reportPagesScript = (root: string): string => `
  order=${root}/sys/module/page_reporting/parameters/page_reporting_order
  if read -r usual <"$order" && [ "$usual" -gt 0 ]; then
    echo 0 >"$order"
    (sleep ${reportsS}; echo "$usual" >"$order") </dev/null >/dev/null &
  fi 2>/dev/null`;

/**
 * Mapped pages stay, so that what runs goes on running from memory. Freed memory reaches the host by itself where the balloon's driver
 * reports it (drivers/virtio/virtio_balloon.c), 2 s later. What the next login runs is fetched again while nobody waits for it. `root`: the directory in which to find /proc, for tests.
 */
export const tidyScript = (root: string): string => `
stat -c %U ${root}/proc/[0-9]* 2>/dev/null | grep -q '^nixbld[0-9]' && exit ${inUse}
kept=${root}${keptBuilds}
[ ! -d "$kept" ] || find "$kept" -mindepth 1 -maxdepth 1 -mmin +${keptMinutes} -exec rm -rf {} +
sync
caches=0
while read -r name kib _; do
  case $name in
  Cached: | SReclaimable:) caches=$((caches + kib)) ;;
  Shmem: | Mapped:) caches=$((caches - kib)) ;;
  esac
done <${root}/proc/meminfo
if [ "$caches" -ge ${worthKiB} ]; then${reportPagesScript(root)}
  echo 3 >${root}/proc/sys/vm/drop_caches
  cat /usr/lib/openssh/sshd-* >/dev/null 2>&1
  nix-daemon --stdio </dev/null >/dev/null 2>&1
fi
df -Pk /nix
`;

/** Names end in the process id of the shell that collects. */
const collector = '/run/linuxkit-builder.collector';
const recent = '/nix/var/nix/gcroots/linuxkit-builder-recent';

/**
 * A store path's own time of change is when it came. Whoever is logged in keeps what he has been given, by Nix's own temporary roots; what
 * came last is kept by roots of ours, for as long as this takes. Roots that a guest kept which ended in the midst of it go first.
 *
 * It can be told to end from its first step on: a signal ends a shell's `wait` but not the program that it waits for. A shell that was
 * just forked has its parent's traps until it has cleared them, and loses a signal that comes before: so the trap first empties the
 * collector's file, which that shell looks at before it becomes the program. `root`: the directory in which to find /nix and /run, for tests.
 */
export const collectScript = (root: string): string => `
over=
word=${root}${collector}.$$
trap 'over=1; : >"$word"; kill $! 2>/dev/null' TERM
recent=${root}${recent}.$$
leave() {
  trap '' TERM
  rm -rf "$recent" "$word"
  df -Pk /nix
  exit "$1"
}
begin() {
  [ -s "$word" ] || exit 143
  exec "$@"
}
run() {
  [ -z "$over" ] || leave 143
  begin "$@" &
  while wait $!; code=$?; kill -0 $! 2>/dev/null; do :; done
  [ -z "$over" ] || leave 143
  return $code
}
echo >"$word" || leave ${notBegun}
renice -n 19 -p $$ >/dev/null
for old in ${root}${recent}*; do
  if [ "$old" = "$recent" ] || [ ! -e ${root}${collector}."\${old##*.}" ]; then run rm -rf "$old"; fi
done
if [ "$1" -gt 0 ]; then
  mkdir -p "$recent" || leave ${notBegun}
  run find ${root}/nix/store -mindepth 1 -maxdepth 1 -cmin -"$1" -exec sh -c 'ln -s "$@" "$0"' "$recent" {} + ||
    leave ${notBegun}
fi
if [ -z "$2" ]; then
  stat -c %U ${root}/proc/[0-9]* 2>/dev/null | grep -q '^nixbld[0-9]' ||
    run rm -rf ${root}${keptBuilds} ${root}/nix/var/nix/builds/*
fi
run sh -c 'exec nix-store --gc "$@" >/dev/null 2>&1' collect \${2:+--max-freed "$2"}
leave $?
`;

/** Exits 1 where there is none. A number that another process has by now is not told. */
export const stopScript = (root: string): string => `
found=1
for file in ${root}${collector}.*; do
  pid=\${file##*.}
  grep -qs linuxkit-builder "/proc/$pid/cmdline" && kill "$pid" 2>/dev/null && found=0
done
exit $found
`;

export const cannotKeep = (why: string): Failure => ({
  kind: 'collection-not-begun',
  message: `The guest could not protect the store paths to keep, so nothing was deleted: ${inMarks(why) ?? 'no reason given'}.`,
  hint: advice`Its disk may be full or read-only. See: ${ours('console')}`,
  exit: Exit.temporary,
});

export const notTold = (why: string): Failure => ({
  kind: 'collection-not-told',
  message: `Cannot stop the garbage collection in the guest: ${inMarks(why) ?? 'no reason given'}.`,
  hint: advice`See: ${ours('console')}`,
  exit: Exit.temporary,
});
