/** A builder as the host's files tell it: to its user's ssh, to root's, and to Nix. */
import type { Config } from '../config/config.ts';
import type { Layout } from '../config/layout.ts';
import { Exit, Failed } from '../system/failure.ts';
import type { NixVariant } from '../nix/variant.ts';
import { exampleNix } from '../nix/example.ts';
import {
  applyChange,
  examine,
  standingAt,
  type FileChange,
  type Standing,
  type WantedFile,
} from '../host/file-change.ts';
import { machinesLine } from '../nix/machines.ts';
import type { SystemPaths } from '../host/system-paths.ts';
import { join } from 'node:path';
import type { Owner } from '../host/installed.ts';
import {
  readReceipts,
  receiptOf,
  receiptsOf,
  withReceipt,
  writeReceipts,
  type Receipt,
} from '../host/receipts.ts';
import { isLegacyInclude } from './legacy.ts';
import { blockLines, withBlock } from '../host/managed-block.ts';
import { byHandOf, type ByHand, type RootRequest } from './root/root-plan.ts';
import { bareKey, includeLine, knownHostsLine, sshConfig } from '../nix/ssh/stanza.ts';
import type { NewerOption } from '../nix/ssh/newer.ts';
import { legacyLines, withoutLegacyLines } from '../host/legacy-lines.ts';
import { OthersFiles } from '../system/files/others-files.ts';

/** All that the host's files are made from. */
export interface Builder {
  readonly layout: Layout;
  readonly places: SystemPaths;
  readonly config: Config;
  /** What config.json shall hold. */
  readonly settingsText: string;
  readonly hostPublicKey: string;
  readonly owner: Owner;
  /** How ssh reaches a door that is no port (./door-helper.ts); undefined where it is one. */
  readonly proxy: string | undefined;
  /** By which launchd or systemd starts the daemon; none where the user starts it. */
  readonly service: readonly WantedFile[];
  /** Who makes /etc/nix. */
  readonly keeper: NixVariant['keeper'];
  /** Whether the user's ssh leads to the guest already, as {@link isTakenIn} has it; undefined where that is not known. */
  readonly takenIn: boolean | undefined;
  /** Options that the user's configuration of ssh has for every host, and our stanza takes back. */
  readonly takenBack?: readonly NewerOption[];
}

/** The files of the user who owns the daemon, in the order in which they are written. */
export function userFiles(builder: Builder): readonly WantedFile[] {
  const { layout, config, places } = builder;
  const ours = { mode: 0o600, directoryMode: 0o700, byHand: '' };
  const whole = (path: string, purpose: string, text: string): WantedFile => ({
    ...ours,
    path,
    purpose,
    content: { kind: 'whole', text, secret: false },
  });
  const machines = `${machinesLine({ ...config, hostPublicKey: builder.hostPublicKey })}\n`;
  const stanza = sshConfig({
    port: config.port,
    proxy: builder.proxy,
    holdSeconds: config.holdSeconds,
    identityFile: layout.clientKey,
    knownHosts: layout.knownHosts,
    takenBack: builder.takenBack ?? [],
  });
  const include = includeFile(
    join(places.home, '.ssh/config'),
    includeLine(layout.sshConfig),
    'your ssh reads the file above',
    builder.takenIn,
  );
  return [
    whole(layout.knownHosts, "the guest's public key", knownHostsLine(builder.hostPublicKey)),
    whole(layout.sshConfig, 'where your ssh finds the guest', stanza),
    whole(layout.example, 'a build to try', exampleNix(config.system, config)),
    whole(layout.machines, "the builder's line, for nix-build --builders @FILE", machines),
    whole(layout.config, "the builder's settings", builder.settingsText),
    // Where root owns the daemon, root's own part says the same.
    ...(places.home === places.rootHome || isOthersDoing(include, builder) ? [] : [include]),
    ...builder.service,
  ];
}

/** True where somebody's own words lead ssh to the guest, in a file that has none of ours. */
const isOthersDoing = ({ path }: WantedFile, { takenIn }: Builder): boolean => {
  if (takenIn !== true) return false;
  const now = Buffer.from(new OthersFiles().read(path) ?? '');
  return blockLines(now) === undefined && legacyLines(now, isLegacyInclude).length === 0;
};

/**
 * An ssh configuration of the user's that takes in ours, before anything else it says: unless ssh says that it does so as it is,
 * whatever stands above or around it.
 */
function includeFile(
  path: string,
  line: string,
  purpose: string,
  takenIn: boolean | undefined,
): WantedFile {
  return {
    path,
    purpose,
    content: {
      kind: 'block',
      lines: [line],
      edit: (now) => {
        const others = withoutLegacyLines(now, isLegacyInclude);
        return takenIn === true ? others : withBlock(others, [line], 'first');
      },
      replaces: (now) => legacyLines(now, isLegacyInclude),
      isThere: (now) => takenIn ?? Buffer.from(now).toString('utf8').includes(line),
    },
    mode: 0o600,
    directoryMode: 0o700,
    byHand: `Put this line at the top of what makes ${path}:\n${line}`,
  };
}

/** What root has to be told. */
export function rootRequest({
  places: { rootHome, etcNix },
  config,
  ...builder
}: Omit<Builder, 'layout' | 'settingsText' | 'service' | 'takenIn' | 'takenBack'>): RootRequest {
  const { owner, keeper, proxy } = builder;
  const hostPublicKey = bareKey(builder.hostPublicKey);
  const { door, port, holdSeconds, system, maxJobs, features } = config;
  const { extraSystems, mandatoryFeatures, speedFactor, protocol } = config;
  const systems = { system, extraSystems };
  const ofLine = { ...systems, maxJobs, features, mandatoryFeatures, speedFactor, protocol };
  const told = { door, port, holdSeconds, ...ofLine, hostPublicKey };
  return { rootHome, etcNix, owner, keeper, proxy, ...told };
}

/** Which of the user's files would change, which are ours already, and which cannot since the Nix store owns them. */
export function userNeeds(builder: Builder): {
  readonly changes: readonly FileChange[];
  readonly right: readonly Right[];
  readonly byHand: readonly ByHand[];
} {
  const changes: FileChange[] = [];
  const right: Right[] = [];
  const byHand: ByHand[] = [];
  for (const wanted of userFiles(builder)) {
    const examined = examine(wanted);
    if (examined.kind === 'hidden') throw new Failed(unreadable(wanted.path));
    const theirs = byHandOf(wanted, examined);
    if (theirs !== undefined) byHand.push(theirs);
    if (examined.kind === 'change') changes.push(examined.change);
    if (examined.kind === 'right') right.push({ wanted, standing: examined.standing });
  }
  return { changes, right, byHand };
}

/** A file that is as it should be. */
interface Right {
  readonly wanted: WantedFile;
  readonly standing: Standing;
}

/** Keeps receipts of what is there already: somebody may have deleted the state directory, and our receipts with it. */
export function recordRight(
  right: readonly Right[],
  { layout, now }: { layout: Layout; now: number },
): void {
  const others = right.filter(({ wanted }) => !isWithin(layout, wanted.path));
  recordReceipts(
    layout,
    others.map(({ wanted, standing }) => receiptOf(wanted, { standing }, now)),
  );
}

/** Makes the user's changes. A receipt is written before the change that it is for, so that none is without. */
export function applyUserChanges(
  changes: readonly FileChange[],
  { layout, now, stop }: { layout: Layout; now: number; stop: AbortSignal },
): void {
  for (const change of changes) {
    stop.throwIfAborted();
    const { path } = change.wanted;
    if (!isWithin(layout, path)) recordReceipts(layout, receiptsOf(change, now));
    applyChange(change);
  }
}

const isWithin = ({ root }: Layout, path: string): boolean => path.startsWith(`${root}/`);

/** Keeps receipts, old and new. */
export function recordReceipts({ receipts: path }: Layout, news: readonly Receipt[]): void {
  const known = readReceipts(path);
  const all = news.reduce(withReceipt, known);
  if (JSON.stringify(all) !== JSON.stringify(known)) writeReceipts(path, all);
}

/** Without receipts: what is certainly ours among the user's files, as if it had been recorded. */
export function foundReceipts(layout: Layout, { home, rootHome }: SystemPaths): readonly Receipt[] {
  const line = includeLine(layout.sshConfig);
  const wanted = includeFile(join(home, '.ssh/config'), line, '', undefined);
  if (home === rootHome) return [];
  const block = blockLines(Buffer.from(new OthersFiles().read(wanted.path) ?? ''));
  const standing = standingAt(wanted.path);
  return block?.join('\n') === line && standing !== undefined
    ? [receiptOf(wanted, { standing }, 0)]
    : [];
}

const unreadable = (path: string) => ({
  kind: 'cannot-read',
  message: `Cannot read ${path}.`,
  hint: 'Check its owner and mode, and those of its directory.',
  exit: Exit.noPermission,
});
