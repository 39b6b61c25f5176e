/** The whole of what `status` knows: the daemon's record, and what lies on the disk or is asked for at this moment. */
import type { Layout } from '../../config/layout.ts';
import { mostOf, usersOf } from '../../door/peers.ts';
import type { Inside } from '../../guest/agent/inside.ts';
import { traitsOf } from '../../supervisor/lifecycle/phases.ts';
import type { FoundStatus } from '../../supervisor/status/status.ts';
import type { Status } from '../../supervisor/status/status-schema.ts';
import type { LiveFacts } from './report-schema.ts';
import type { CliContext } from '../../command/context.ts';
import { residentOf } from '../../system/host/host-memory.ts';
import type { ImageAge } from '../../vm/image-age.ts';
import type { RootUpdate } from '../../setup/root/report-drift.ts';
import { statsIfThere } from '../../system/stats.ts';

/** What `status --json` prints. */
export type Report = { readonly running: boolean } & Partial<Status> & LiveFacts;

/** All of `status --json`: what a daemon says, or said last, and what is looked at now. */
export const reportOf = (found: FoundStatus, live: LiveFacts): Report => ({
  running: found.daemon === 'alive',
  ...statusIn(found),
  ...live,
});

/** A living daemon's record, or the last one of one that is gone. */
export const statusIn = (found: FoundStatus): Status | undefined =>
  found.daemon === 'alive' ? found.status : found.last;

/** A look into the guest costs it a process: one that is no older than this will do. */
const freshMs = 5_000;

/** Finds those facts, again and again; the guest is asked now and then. */
export function liveFactsOf(
  layout: Layout,
  context: CliContext,
): (found: FoundStatus) => Promise<LiveFacts> {
  let looked = { at: -Infinity, since: '', guest: undefined as Inside | undefined };
  const { clock } = context;
  const guestIn = async (found: FoundStatus) => {
    const since = answers(found) ? found.status.since : '';
    const at = clock.monotonic();
    if (since === looked.since && at - looked.at < freshMs) return looked.guest;
    const guest =
      since === '' ? undefined : await askFor<Inside>('guest', 'builds', layout, context);
    looked = { at, since, guest };
    return guest;
  };
  return async (found) => {
    const [guest, memory, connections, past, { lastIncident }, untold] = await Promise.all([
      guestIn(found),
      memoryOf(found, context),
      connectionsOf(found, layout, context),
      pastOf(found, context),
      import('../../supervisor/health/incident.ts'),
      driftIn(layout, context),
    ]);
    return defined({
      connections,
      past,
      guest,
      memory,
      disk: diskOf(layout),
      incident: lastIncident(layout),
      untold,
      imageAge: await ageIn(found, layout, context),
      unheardSince: unheardSince(found, layout),
    });
  };
}

async function ageIn(
  found: FoundStatus,
  layout: Layout,
  { clock }: CliContext,
): Promise<ImageAge | undefined> {
  const prefix = statusIn(found)?.image?.prefix;
  if (prefix === undefined) return undefined;
  const { imageAgeAt } = await import('../../image/image-news.ts');
  return imageAgeAt(prefix, layout, clock.now());
}

/** What compares root's files is loaded only where root was told of something, and something has changed since. */
async function driftIn(layout: Layout, context: CliContext): Promise<RootUpdate | undefined> {
  const { mayBeUnregistered, ownerOf } = await import('../../nix/registration.ts');
  const owner = ownerOf(context.env);
  if (owner === 'unreadable' || owner?.directory !== layout.root) return undefined;
  if (!mayBeUnregistered(layout, context)) return undefined;
  const { rootUpdate } = await import('../../setup/root/report-drift.ts');
  return rootUpdate(layout, context);
}

/** One that is slow would keep us waiting. */
const answers = (found: FoundStatus): found is Extract<FoundStatus, { daemon: 'alive' }> =>
  found.daemon === 'alive' &&
  traitsOf(found.status.phase).builds === 'now' &&
  (found.status.health ?? 'well') === 'well';

function unheardSince(found: FoundStatus, { status }: Layout): string | undefined {
  if (found.daemon === 'gone' || found.heard) return undefined;
  return statsIfThere(status)?.mtime.toISOString();
}

async function memoryOf(found: FoundStatus, { signal }: CliContext): Promise<LiveFacts['memory']> {
  const pid = found.daemon === 'alive' ? found.status.vmPid : undefined;
  const residentBytes = pid === undefined ? undefined : await residentOf(pid, signal);
  return residentBytes === undefined ? undefined : { residentBytes };
}

function diskOf({ disk }: Layout): LiveFacts['disk'] {
  const stats = statsIfThere(disk);
  return stats && { apparentBytes: stats.size, realBytes: stats.blocks * 512 };
}

async function connectionsOf(
  found: FoundStatus,
  layout: Layout,
  context: CliContext,
): Promise<LiveFacts['connections']> {
  if (found.daemon === 'gone') return undefined;
  const { builds } = traitsOf(found.status.phase);
  if (builds === 'never' || builds === 'ended') return undefined;
  const connections = await askFor<Connections>('door', 'open', layout, context);
  if (connections?.crowd === undefined) return connections;
  const { crowd } = connections;
  return { ...connections, crowd: await named(crowd, context) };
}

type Connections = NonNullable<LiveFacts['connections']>;

async function pastOf(found: FoundStatus, context: CliContext): Promise<LiveFacts['past']> {
  const port = found.daemon === 'alive' ? found.status.tunnelPort : undefined;
  const users = port === undefined ? undefined : usersOf(port);
  const peers = users && mostOf(users, process.getuid?.());
  return peers && named(peers, context);
}

/** With the user's name, where the system tells it. */
async function named<T extends { readonly uid?: number }>(
  whose: T,
  { signal }: CliContext,
): Promise<T & { readonly user?: string }> {
  if (whose.uid === undefined) return whose;
  const { nameOf } = await import('../../system/host/name-of.ts');
  const user = await nameOf('passwd', whose.uid, signal);
  return user === undefined ? whose : { ...whose, user };
}

/** The daemon's answer, if it has that field. */
async function askFor<T>(
  command: 'door' | 'guest',
  field: keyof T & string,
  layout: Layout,
  { clock, signal }: CliContext,
): Promise<T | undefined> {
  try {
    const { ask } = await import('../../supervisor/daemon/ask-daemon.ts');
    const fields: Readonly<Record<string, unknown>> = await ask(layout, command, clock, signal);
    // One cast: with that field it is the whole answer.
    return typeof fields[field] === 'number' ? (fields as T) : undefined;
  } catch {
    // A daemon that is about to end does not answer any more.
    return undefined;
  }
}

/** Without the fields that are not known. */
const defined = (facts: { readonly [K in keyof LiveFacts]: LiveFacts[K] | undefined }): LiveFacts =>
  Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
