/**
 * What a guest gives back to its host: memory that only caches hold, blocks that are free, store paths that nothing keeps. Run by the
 * agent, which needs no login.
 */
import type { GuestAgent } from './agent.ts';
import { readRoom, type StoreRoom } from './inside.ts';

type Agent = Pick<GuestAgent, 'exec'>;

/** A disk that is far away, or much to write out. */
const tidyMs = 120_000;
/** A store of hundreds of thousands of paths. */
const collectMs = 3_600_000;
/** EX_TEMPFAIL of sysexits.h. */
const inUse = 75;

/**
 * Has the guest write out what is to be written, drop its caches where that is worth it, and give free blocks back; then how much room
 * its store has. `in-use` where a build runs: nothing was done. Undefined where it does not say. Rejects as {@link GuestAgent.exec}.
 */
export async function tidyGuest(
  agent: Agent,
  signal: AbortSignal,
): Promise<StoreRoom | 'in-use' | undefined> {
  const run = { signal, timeoutMs: tidyMs };
  const { code, stdout } = await agent.exec('/bin/sh', ['-c', tidyScript('')], run);
  return code === inUse ? 'in-use' : readRoom(stdout);
}

/** Gives the free blocks of the guest's store back; true when it could. Rejects as {@link GuestAgent.exec}. */
export async function trimGuest(agent: Agent, signal: AbortSignal): Promise<boolean> {
  const run = { signal, timeoutMs: tidyMs };
  return (await agent.exec('/bin/sh', ['-c', 'sync; exec fstrim /nix'], run)).code === 0;
}

export interface Collection {
  /** So many bytes are enough; absent: all that nothing keeps. */
  readonly bytes?: number;
  /** What came into the store within so many minutes stays, whoever brought it. */
  readonly keepMinutes: number;
}

/**
 * Deletes store paths that nothing keeps; how much room there is then, and whether it came to its end. Undefined where the guest does not
 * say. Rejects as {@link GuestAgent.exec}.
 */
export async function collectGarbage(
  agent: Agent,
  { bytes, keepMinutes }: Collection,
  signal: AbortSignal,
): Promise<(StoreRoom & { readonly isDone: boolean }) | undefined> {
  const argv = ['-c', collectScript, 'collect', String(keepMinutes), String(bytes ?? '')];
  const { code, stdout } = await agent.exec('/bin/sh', argv, { signal, timeoutMs: collectMs });
  const room = readRoom(stdout);
  return room && { ...room, isDone: code === 0 };
}

/** Has a collection end where it is: what was deleted is deleted, and the store is whole. */
export async function stopCollecting(agent: Agent, signal: AbortSignal): Promise<void> {
  const run = { signal, timeoutMs: 10_000 };
  await agent.exec('/bin/sh', ['-c', `read -r pid <${collector} && kill "$pid"`], run);
}

/** Less than this many KiB in caches is what the next login needs first. */
const worthKiB = 65_536;

/**
 * Mapped pages stay, so that what runs goes on running from memory. Freed memory reaches the host by itself where the balloon's driver
 * reports it (drivers/virtio/virtio_balloon.c), 2 s later. What the next login runs is fetched again while nobody waits for it. `root`: the directory in which to find /proc, for tests.
 */
export const tidyScript = (root: string): string => `
stat -c %U ${root}/proc/[0-9]* 2>/dev/null | grep -q '^nixbld[0-9]' && exit ${inUse}
sync
caches=0
while read -r name kib _; do
  case $name in
  Cached: | SReclaimable:) caches=$((caches + kib)) ;;
  Shmem: | Mapped:) caches=$((caches - kib)) ;;
  esac
done <${root}/proc/meminfo
if [ "$caches" -ge ${worthKiB} ]; then
  echo 3 >${root}/proc/sys/vm/drop_caches
  cat /usr/lib/openssh/sshd-* >/dev/null 2>&1
  nix-daemon --stdio </dev/null >/dev/null 2>&1
fi
fstrim /nix 2>/dev/null
df -Pk /nix
`;

const collector = '/run/linuxkit-builder.collector';

/**
 * A store path's own time of change is when it came. Whoever is logged in keeps what he has been given, by Nix's own temporary roots; what
 * came last is kept by roots of ours, for as long as this takes.
 */
const collectScript = `
roots=/nix/var/nix/gcroots/linuxkit-builder-recent
rm -rf $roots
if [ "$1" -gt 0 ]; then
  mkdir -p $roots
  find /nix/store -mindepth 1 -maxdepth 1 -cmin -"$1" -exec sh -c 'ln -s "$@" '$roots sh {} +
fi
renice -n 19 -p $$ >/dev/null
nix-store --gc \${2:+--max-freed "$2"} >/dev/null 2>&1 &
echo $! >${collector}
wait $!
code=$?
rm -rf $roots ${collector}
sync
fstrim /nix 2>/dev/null
df -Pk /nix
exit $code
`;
