/** A builder as the host's files tell it: to its user's ssh, to root's, and to Nix. */
import type { Config } from '../config/config.ts';
import type { Layout } from '../config/layout.ts';
import { Failed } from '../system/failure.ts';
import { cannotRead } from '../system/files/barrier.ts';
import type { NixVariant } from '../nix/variant.ts';
import { exampleNix } from '../nix/example.ts';
import { standingAt, type WantedFile } from '../host/file-change.ts';
import { machinesLine } from '../nix/machines.ts';
import type { SystemPaths } from '../host/system-paths.ts';
import { join } from 'node:path';
import type { Owner } from '../host/installed.ts';
import { receiptOf, type Receipt } from '../host/receipts.ts';
import { isLegacyInclude } from './legacy.ts';
import { blockLines, legacyLines, withBlock, withoutLegacyLines } from '../host/managed-block.ts';
import type { RootRequest } from './root/root-plan.ts';
import { survey, type Survey } from './survey.ts';
import { bareKey, includeLine, knownHostsLine, sshConfig } from '../nix/ssh/stanza.ts';
import type { NewerOption } from '../nix/ssh/newer.ts';
import { OthersFiles } from '../system/files/others-files.ts';

/** All that the host's files are made from. */
export interface Builder {
  readonly layout: Layout;
  readonly systemPaths: SystemPaths;
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
function userFiles(builder: Builder): readonly WantedFile[] {
  const { layout, config, systemPaths } = builder;
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
    join(systemPaths.home, '.ssh/config'),
    includeLine(layout.sshConfig),
    'your ssh configuration, which includes the file above',
    builder.takenIn,
  );
  return [
    whole(layout.knownHosts, "the guest's public key", knownHostsLine(builder.hostPublicKey)),
    whole(layout.sshConfig, 'how your ssh reaches the guest', stanza),
    whole(layout.example, 'an example build', exampleNix(config.system, config)),
    whole(layout.machines, "the builder's line, for nix-build --builders @FILE", machines),
    whole(layout.config, "the builder's settings", builder.settingsText),
    // Where root owns the daemon, root's own part says the same.
    ...(systemPaths.home === systemPaths.rootHome || isOthersDoing(include, builder)
      ? []
      : [include]),
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
    byHand: `Add this line at the top of what generates ${path}:\n${line}`,
  };
}

/** What root has to be told. */
export function rootRequest({
  systemPaths,
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
  return { paths: systemPaths.roots, owner, keeper, proxy, ...told };
}

/** How the user's files stand. Failed `cannot-read` where one of them cannot be seen. */
export function userNeeds(builder: Builder): Survey {
  const needs = survey(userFiles(builder));
  const [hidden] = needs.hidden;
  if (hidden !== undefined) throw new Failed(cannotRead(hidden.path, 'EACCES'));
  return needs;
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
